//! Availability, and how few stock events the index needs.

use serde_json::json;
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;
use vocabulary::ProductId;

use crate::{
    events::{keyboard, next_version, product, sku_of, stock_changed},
    suite::Suite,
};

/// Waits until exactly this many products are in stock.
async fn wait_in_stock(suite: &Suite, expected: i64) {
    wait_for("this many products are in stock", LONGEST_WAIT, async || {
        let total = suite.search(&[("in_stock", "true")]).await["total"].as_i64().unwrap();
        if total == expected { Ok(()) } else { Err(total) }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_available_variant_makes_a_product_available() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalogue.publish(&product(id, 1, "键盘", "Keyboard", &["RED", "BLUE"])).await;
    suite.wait_applied(id, 1).await;
    wait_in_stock(&suite, 0).await;
    suite.inventory.publish(&stock_changed("RED", 1, 5)).await;
    wait_in_stock(&suite, 1).await;
    suite.inventory.publish(&stock_changed("BLUE", 1, 1)).await;
    suite.inventory.publish(&stock_changed("RED", 2, 0)).await;
    suite.settle().await;
    wait_in_stock(&suite, 1).await;
    suite.inventory.publish(&stock_changed("BLUE", 2, 0)).await;
    wait_in_stock(&suite, 0).await;
    // An older event changes nothing.
    suite.inventory.publish(&stock_changed("BLUE", 1, 9)).await;
    suite.settle().await;
    wait_in_stock(&suite, 0).await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_may_arrive_before_its_product() {
    let suite = Suite::start().await;
    suite.inventory.publish(&stock_changed("RED", 3, 5)).await;
    suite.settle().await;
    let id = ProductId::new();
    suite.catalogue.publish(&product(id, 1, "键盘", "Keyboard", &["RED"])).await;
    suite.wait_applied(id, 1).await;
    assert_eq!(suite.search(&[("q", "键盘")]).await["items"][0]["in_stock"], json!(true));
    // The SKU moves to another product.
    let other = ProductId::new();
    suite.catalogue.publish(&product(other, 1, "鼠标", "Mouse", &["RED"])).await;
    suite.catalogue.publish(&product(id, 2, "键盘", "Keyboard", &["BLUE"])).await;
    suite.wait_applied(id, 2).await;
    suite.wait_applied(other, 1).await;
    assert_eq!(suite.search(&[("q", "键盘")]).await["items"][0]["in_stock"], json!(false));
    assert_eq!(suite.search(&[("q", "鼠标")]).await["items"][0]["in_stock"], json!(true));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_stock_movements_do_not_touch_the_index() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let sku = sku_of(id);
    suite.catalogue.publish(&keyboard(id, 1)).await;
    suite.inventory.publish(&stock_changed(&sku, 1, 1000)).await;
    suite.wait_applied(id, 1).await;
    wait_in_stock(&suite, 1).await;
    let before = suite.index().await;
    for version in 2..=101 {
        suite.inventory.publish(&stock_changed(&sku, version, 1000 - version)).await;
    }
    suite.wait_count("select version from sku_stock", 101).await;
    suite.settle().await;
    let after = suite.index().await;
    assert_eq!(
        (&after["change"], &after["committed_at"]),
        (&before["change"], &before["committed_at"])
    );
    assert_eq!(after["behind"], 0);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_product_and_stock_see_each_other() {
    let suite = Suite::start().await;
    let ids: Vec<ProductId> = (0..100).map(|_| ProductId::new()).collect();
    // Products and stock use different queues, in overlapping batches.
    for ids in ids.chunks(5) {
        let products: Vec<_> = ids.iter().map(|id| keyboard(*id, 1)).collect();
        let stock_events: Vec<_> = ids.iter().map(|id| stock_changed(&sku_of(*id), 1, 1)).collect();
        tokio::join!(
            suite.catalogue.publish_all(&products),
            suite.inventory.publish_all(&stock_events)
        );
    }
    wait_in_stock(&suite, 100).await;
    let (mut products, mut stock_events) = (Vec::new(), Vec::new());
    for id in &ids {
        products.push(next_version(&keyboard(*id, 1)));
        stock_events.push(stock_changed(&sku_of(*id), 2, 0));
    }
    tokio::join!(
        suite.inventory.publish_all(&stock_events),
        suite.catalogue.publish_all(&products)
    );
    wait_in_stock(&suite, 0).await;
    suite.finish(0).await;
}
