//! Availability, and how few stock events the index needs.

use contracts::inventory::StockChangedV1;
use envelope::Slot;
use messaging::DEFAULT_SLOT_GROUPS;
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

/// The new level is published last, so a FIFO queue would apply it last of its slot group.
#[tokio::test(flavor = "multi_thread")]
async fn under_overload_the_newest_stock_is_applied_first() {
    let mut suite = Suite::without_service().await;
    let events = |version: i64| -> Vec<StockChangedV1> {
        (0..600).map(|number| stock_changed(&format!("OLD-{number}"), version, 9)).collect()
    };
    // As if it had waited for a minute.
    let backdate = "
        create function backdate() returns trigger language plpgsql as
            $$ begin new.time := new.time - interval '1 minute'; return new; end $$;
        create trigger backdate before insert on messaging.outbox for each row execute function backdate()";
    suite.inventory.database().run(backdate).await.unwrap();
    for version in 1..=3 {
        suite.inventory.publish_all(&events(version)).await;
    }
    suite.inventory.database().run("drop trigger backdate on messaging.outbox").await.unwrap();
    suite.inventory.publish(&stock_changed("NEW", 1, 7)).await;
    suite.inventory.wait_until_published().await;
    // The lock stops the first batches until all messages are delivered.
    let mut lock = suite.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table sku_stock in exclusive mode").execute(&mut *lock).await.unwrap();
    suite.start_service().await;
    wait_for("all messages are delivered", LONGEST_WAIT, async || {
        let queues = suite.vhost.queues().await.unwrap();
        let ours = queues.iter().filter(|queue| queue.name.starts_with("search-sync.stock."));
        let (ready, delivered) = ours.fold((0, 0), |(ready, delivered), queue| {
            (ready + queue.messages_ready, delivered + queue.messages_unacknowledged)
        });
        if ready == 0 && delivered > 0 { Ok(()) } else { Err(format!("{ready}, {delivered}")) }
    })
    .await
    .unwrap();
    lock.rollback().await.unwrap();
    suite.wait_count("select count(*) from sku_stock", 601).await;
    suite.settle().await;

    let group = |sku: &str| Slot::of(sku).number() % DEFAULT_SLOT_GROUPS;
    // A transaction gets its number when it first writes, so the numbers of a queue have the order of its batches.
    let applied: Vec<String> =
        sqlx::query_scalar("select sku from sku_stock order by xmin::text::bigint, sku")
            .fetch_all(&suite.pool)
            .await
            .unwrap();
    let mut of_group = applied.iter().filter(|sku| group(sku) == group("NEW"));
    let before = of_group.position(|sku| sku == "NEW").unwrap();
    // The first batch may begin before the new level is delivered.
    assert!(before < 100, "{before} of its slot group were applied before");
    // In the end the newest level of each SKU stands.
    let newest = "select count(*) from sku_stock where (sku = 'NEW') <> (version = 3)";
    suite.wait_count(newest, 601).await;
    suite.finish(0).await;
}
