//! Products are searchable, and their receipts follow.

use contracts::catalog::{ProductChangedV1, ProductStatus};
use envelope::{Priority, Slot};
use messaging::DEFAULT_SLOT_GROUPS;
use serde_json::json;
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;
use uuid::Uuid;
use vocabulary::ProductId;

use crate::{
    events::{keyboard, keyboards, next_version, product, product_deleted},
    suite::{Suite, ids, total_in},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_found_in_chinese_english_and_pinyin() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalogue.publish(&keyboard(id, 1)).await;
    suite.wait_applied(id, 1).await;
    for q in ["机械键盘", "jixie jianpan", "mechanical keyboard", "keybord", "F87", "红轴", "aula"]
    {
        assert_eq!(ids(&suite.search(&[("q", q)]).await), [id], "{q}");
    }
    let answer = suite.search(&[("q", "机械键盘"), ("facets", "brand,attr.轴体")]).await;
    let hit = &answer["items"][0];
    assert_eq!(hit["title"]["zh"], "狼蛛F87 三模机械键盘");
    assert!(hit["highlight"].as_str().unwrap().contains("<em>机械键盘</em>"), "{hit}");
    assert_eq!(hit["price_min"], json!({"amount": 25_900, "currency": "CNY"}));
    assert_eq!((&hit["in_stock"], &hit["version"]), (&json!(false), &json!(1)));
    assert_eq!(answer["facets"]["brand"], json!([{"value": "AULA", "count": 1}]));
    assert_eq!(answer["facets"]["attr.轴体"], json!([{"value": "红轴", "count": 1}]));
    assert_eq!((&answer["total"], &answer["next_cursor"]), (&json!(1), &json!(null)));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_follows_the_index() {
    let mut suite = Suite::without_service().await;
    let products = keyboards(30);
    let consumers = suite.consume_without_indexer();
    suite.catalogue.publish_all(&products).await;
    suite.wait_count("select count(*) from document", 30).await;
    suite.settle().await;
    assert_eq!(suite.count("select count(*) from receipt_due").await, 30);
    assert!(suite.applied.all().is_empty());
    consumers.shutdown();
    consumers.run_until_shutdown().await;

    suite.start_service().await;
    wait_for("all receipts are received", LONGEST_WAIT, async || {
        let published =
            products.iter().filter(|one| suite.published_receipt(one.product_id) == Some(1));
        match published.count() {
            30 => Ok(()),
            count => Err(count),
        }
    })
    .await
    .unwrap();
    let receipts = suite.applied.all();
    assert!(receipts.iter().all(|receipt| receipt.service == "search-sync"));
    // A product with a receipt is found at once.
    for product in &products {
        let next = next_version(product);
        suite.catalogue.publish(&next).await;
        suite.wait_applied(next.product_id, 2).await;
        assert_eq!(suite.found(next.product_id).await, Some(2));
    }
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_only_gets_a_receipt() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let named = |version, en: &str| product(id, version, "键盘", en, &["A"]);
    suite.catalogue.publish(&named(5, "Newest")).await;
    suite.wait_applied(id, 5).await;
    let change = suite.index().await["change"].clone();
    suite.catalogue.publish(&named(3, "Older")).await;
    suite.catalogue.publish(&named(5, "Same")).await;
    let received = || suite.applied.all().iter().flat_map(|one| one.applied.clone()).count();
    wait_for("both versions have a receipt", LONGEST_WAIT, async || {
        let versions = suite.count("select count(*) from receipt_due").await;
        if received() >= 2 && versions == 0 {
            Ok(())
        } else {
            Err(format!("{} have one", received() - 1))
        }
    })
    .await
    .unwrap();
    suite.settle().await;
    let answer = suite.search(&[("q", "键盘")]).await;
    assert_eq!(answer["items"][0]["title"]["en"], "Newest");
    assert_eq!(answer["items"][0]["version"], 5);
    assert_eq!(suite.index().await["change"], change);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_active_products_are_found() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let with = |version, status| ProductChangedV1 { status, ..keyboard(id, version) };
    suite.catalogue.publish(&with(1, ProductStatus::Draft)).await;
    suite.wait_applied(id, 1).await;
    assert_eq!(suite.found(id).await, None);
    suite.catalogue.publish(&with(2, ProductStatus::Active)).await;
    suite.wait_applied(id, 2).await;
    assert_eq!(suite.found(id).await, Some(2));
    suite.catalogue.publish(&with(3, ProductStatus::Archived)).await;
    suite.wait_applied(id, 3).await;
    assert_eq!(suite.found(id).await, None);
    suite.catalogue.publish(&with(4, ProductStatus::Active)).await;
    suite.wait_applied(id, 4).await;
    assert_eq!(suite.found(id).await, Some(4));
    suite.catalogue.publish(&product_deleted(id, 5)).await;
    suite.wait_applied(id, 5).await;
    assert_eq!(suite.found(id).await, None);
    // A change older than the deletion does not restore the product.
    suite.catalogue.publish(&with(4, ProductStatus::Active)).await;
    suite.settle().await;
    assert_eq!(suite.found(id).await, None);
    assert_eq!(suite.count("select count(*) from document_sku").await, 0);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_and_deletions_keep_their_order() {
    let suite = Suite::start().await;
    let (first, second) = (ProductId::new(), ProductId::new());
    // Alternating types run each handler several times in one transaction.
    for round in 0..20 {
        let version = 2 * round + 1;
        suite.catalogue.publish(&keyboard(first, version)).await;
        suite.catalogue.publish(&product_deleted(first, version + 1)).await;
        suite.catalogue.publish(&keyboard(second, version)).await;
        suite.catalogue.publish(&keyboard(second, version + 1)).await;
    }
    suite.wait_applied(first, 40).await;
    suite.wait_applied(second, 40).await;
    assert_eq!((suite.found(first).await, suite.found(second).await), (None, Some(40)));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undecodable_event_becomes_a_dead_letter() {
    let suite = Suite::start().await;
    let (bad, good) = (ProductId::new(), ProductId::new());
    let data = json!({"product_id": bad, "version": 7, "variants": "none"}).to_string();
    suite.catalogue.publish_raw::<ProductChangedV1>(&bad.to_string(), 1, &data).await;
    suite.catalogue.publish(&keyboard(good, 1)).await;
    suite.wait_applied(good, 1).await;
    let failed = wait_for("the failure is received", LONGEST_WAIT, async || {
        suite.failed.all().into_iter().next().ok_or("not yet")
    });
    let failed = failed.await.unwrap();
    assert_eq!((failed.failed.product_id, failed.failed.version.get()), (bad, 7));
    assert!(failed.reason.contains("undecodable"), "{}", failed.reason);
    assert_eq!(suite.found(bad).await, None);
    suite.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_publish_each_receipt_once() {
    let suite = Suite::start().await;
    let replica = suite.start_replica().await;
    let products = keyboards(200);
    for products in products.chunks(20) {
        suite.catalogue.publish_all(products).await;
    }
    wait_for("both indexes are complete", LONGEST_WAIT, async || {
        let (here, there) = (
            suite.search(&[("q", "机械键盘")]).await["total"].clone(),
            total_in(&replica, "机械键盘").await,
        );
        if here == 200 && there == 200 { Ok(()) } else { Err(format!("{here} and {there}")) }
    })
    .await
    .unwrap();
    suite.settle().await;
    let mut settled: Vec<ProductId> = Vec::new();
    for receipt in suite.applied.all() {
        settled.extend(receipt.applied.iter().map(|one| one.product_id));
    }
    settled.sort_unstable();
    let mut expected: Vec<ProductId> = products.iter().map(|one| one.product_id).collect();
    expected.sort_unstable();
    assert_eq!(settled, expected);
    drop(replica);
    suite.finish(0).await;
}

/// The edit is published last, so a FIFO queue would give it the last change number of its slot group.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_overtakes_an_import() {
    let mut suite = Suite::without_service().await;
    let imported = keyboards(600);
    for rows in imported.chunks(100) {
        suite.catalogue.publish_with(Priority::Bulk, rows).await;
    }
    let edited = next_version(&imported[599]);
    suite.catalogue.publish(&edited).await;
    suite.catalogue.wait_until_published().await;
    // The lock on the change counter stops the first batch until all messages are delivered.
    let mut lock = suite.pool.begin().await.unwrap();
    search_sync::storage::changes::lock(&mut lock).await.unwrap();
    suite.start_service().await;
    wait_for("all messages are delivered", LONGEST_WAIT, async || {
        let queues = suite.vhost.queues().await.unwrap();
        let ours = queues.iter().filter(|queue| queue.name.starts_with("search-sync.product."));
        let (ready, delivered) = ours.fold((0, 0), |(ready, delivered), queue| {
            (ready + queue.messages_ready, delivered + queue.messages_unacknowledged)
        });
        if ready == 0 && delivered > 0 { Ok(()) } else { Err(format!("{ready}, {delivered}")) }
    })
    .await
    .unwrap();
    lock.rollback().await.unwrap();
    suite.wait_applied(edited.product_id, 2).await;
    suite.wait_count("select count(*) from document", 600).await;

    let group = |id: ProductId| Slot::of(&id.to_string()).number() % DEFAULT_SLOT_GROUPS;
    let changes: Vec<(Uuid, i64)> =
        sqlx::query_as("select product_id, change from document order by change")
            .fetch_all(&suite.pool)
            .await
            .unwrap();
    let mut of_group =
        changes.iter().filter(|(id, _)| group(ProductId::from(*id)) == group(edited.product_id));
    let before = of_group.position(|(id, _)| *id == edited.product_id.as_uuid()).unwrap();
    // A batch may start before the edit is delivered, and the edit waits for its end.
    assert!(before < 200, "{before} products of its group preceded the edit");
    assert_eq!(suite.found(edited.product_id).await, Some(2));
    suite.finish(0).await;
}
