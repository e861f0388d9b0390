//! Whether products can be had, and how little of it the index hears.

use serde_json::json;
use testkit::wait_for;
use vocabulary::ProductId;

use crate::{
    shop::{again, keyboard, product, sku_of, stock},
    suite::{PATIENCE, Suite},
};

/// Waits until exactly so many products are found that can be had.
async fn wait_in_stock(suite: &Suite, expected: i64) {
    wait_for("so many can be had", PATIENCE, async || {
        let total = suite.search(&[("in_stock", "true")]).await["total"].as_i64().unwrap();
        if total == expected { Ok(()) } else { Err(total) }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_can_be_had_as_long_as_one_of_its_variants_can() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalogue.say(&product(id, 1, "键盘", "Keyboard", &["RED", "BLUE"])).await;
    suite.wait_applied(id, 1).await;
    wait_in_stock(&suite, 0).await;
    suite.inventory.say(&stock("RED", 1, 5)).await;
    wait_in_stock(&suite, 1).await;
    suite.inventory.say(&stock("BLUE", 1, 1)).await;
    suite.inventory.say(&stock("RED", 2, 0)).await;
    suite.at_rest().await;
    wait_in_stock(&suite, 1).await;
    suite.inventory.say(&stock("BLUE", 2, 0)).await;
    wait_in_stock(&suite, 0).await;
    // An older level changes nothing.
    suite.inventory.say(&stock("BLUE", 1, 9)).await;
    suite.at_rest().await;
    wait_in_stock(&suite, 0).await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_that_is_heard_of_before_the_product_counts() {
    let suite = Suite::start().await;
    suite.inventory.say(&stock("RED", 3, 5)).await;
    suite.at_rest().await;
    let id = ProductId::new();
    suite.catalogue.say(&product(id, 1, "键盘", "Keyboard", &["RED"])).await;
    suite.wait_applied(id, 1).await;
    assert_eq!(suite.search(&[("q", "键盘")]).await["items"][0]["in_stock"], json!(true));
    // The SKU goes over to another product.
    let other = ProductId::new();
    suite.catalogue.say(&product(other, 1, "鼠标", "Mouse", &["RED"])).await;
    suite.catalogue.say(&product(id, 2, "键盘", "Keyboard", &["BLUE"])).await;
    suite.wait_applied(id, 2).await;
    suite.wait_applied(other, 1).await;
    assert_eq!(suite.search(&[("q", "键盘")]).await["items"][0]["in_stock"], json!(false));
    assert_eq!(suite.search(&[("q", "鼠标")]).await["items"][0]["in_stock"], json!(true));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn movements_that_change_no_answer_do_not_touch_the_index() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let sku = sku_of(id);
    suite.catalogue.say(&keyboard(id, 1)).await;
    suite.inventory.say(&stock(&sku, 1, 1000)).await;
    suite.wait_applied(id, 1).await;
    wait_in_stock(&suite, 1).await;
    let before = suite.index().await;
    for version in 2..=101 {
        suite.inventory.say(&stock(&sku, version, 1000 - version)).await;
    }
    suite.wait_count("select version from sku_stock", 101).await;
    suite.at_rest().await;
    let after = suite.index().await;
    assert_eq!(
        (&after["change"], &after["committed_at"]),
        (&before["change"], &before["committed_at"])
    );
    assert_eq!(after["behind"], 0);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn products_and_stock_heard_at_the_same_time_see_one_another() {
    let suite = Suite::start().await;
    let ids: Vec<ProductId> = (0..100).map(|_| ProductId::new()).collect();
    // Products and levels go through different queues, in batches that overlap.
    for ids in ids.chunks(5) {
        let products: Vec<_> = ids.iter().map(|id| keyboard(*id, 1)).collect();
        let levels: Vec<_> = ids.iter().map(|id| stock(&sku_of(*id), 1, 1)).collect();
        tokio::join!(suite.catalogue.say_all(&products), suite.inventory.say_all(&levels));
    }
    wait_in_stock(&suite, 100).await;
    let (mut products, mut levels) = (Vec::new(), Vec::new());
    for id in &ids {
        products.push(again(&keyboard(*id, 1)));
        levels.push(stock(&sku_of(*id), 2, 0));
    }
    tokio::join!(suite.inventory.say_all(&levels), suite.catalogue.say_all(&products));
    wait_in_stock(&suite, 0).await;
    suite.finish(0).await;
}
