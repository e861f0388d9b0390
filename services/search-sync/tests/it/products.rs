//! Products are found as the catalogue has them, and it is told so when they are.

use contracts::{
    Slot,
    catalog::{ProductChangedV1, ProductStatus},
};
use messaging::SLOT_GROUPS;
use serde_json::json;
use testkit::wait_for;
use uuid::Uuid;
use vocabulary::ProductId;

use crate::{
    shop::{again, deleted, keyboard, keyboards, product},
    suite::{PATIENCE, Suite, ids},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_found_in_chinese_english_and_pinyin() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalogue.say(&keyboard(id, 1)).await;
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
async fn a_receipt_is_said_only_when_the_index_has_the_product() {
    let mut suite = Suite::around().await;
    let products = keyboards(30);
    let consumers = suite.consume_without_a_tail();
    suite.catalogue.say_all(&products).await;
    suite.wait_count("select count(*) from document", 30).await;
    suite.at_rest().await;
    assert_eq!(suite.count("select count(*) from receipt_due").await, 30);
    assert!(suite.applied.all().is_empty());
    consumers.shutdown();
    consumers.run_until_shutdown().await;

    suite.start_service().await;
    wait_for("all receipts were heard", PATIENCE, async || {
        let confirmed = products.iter().filter(|one| suite.confirmed(one.product_id) == Some(1));
        match confirmed.count() {
            30 => Ok(()),
            count => Err(count),
        }
    })
    .await
    .unwrap();
    let receipts = suite.applied.all();
    assert!(receipts.iter().all(|receipt| receipt.service == "search-sync"));
    // Whatever was confirmed is found, at once.
    for product in &products {
        let next = again(product);
        suite.catalogue.say(&next).await;
        suite.wait_applied(next.product_id, 2).await;
        assert_eq!(suite.found(next.product_id).await, Some(2));
    }
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_changes_nothing_and_is_confirmed_all_the_same() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let named = |version, en: &str| product(id, version, "键盘", en, &["A"]);
    suite.catalogue.say(&named(5, "Newest")).await;
    suite.wait_applied(id, 5).await;
    let change = suite.index().await["change"].clone();
    suite.catalogue.say(&named(3, "Older")).await;
    suite.catalogue.say(&named(5, "Same")).await;
    let heard = || suite.applied.all().iter().flat_map(|one| one.applied.clone()).count();
    wait_for("both are confirmed", PATIENCE, async || {
        let versions = suite.count("select count(*) from receipt_due").await;
        if heard() >= 2 && versions == 0 { Ok(()) } else { Err(format!("{} are", heard() - 1)) }
    })
    .await
    .unwrap();
    suite.at_rest().await;
    let answer = suite.search(&[("q", "键盘")]).await;
    assert_eq!(answer["items"][0]["title"]["en"], "Newest");
    assert_eq!(answer["items"][0]["version"], 5);
    assert_eq!(suite.index().await["change"], change);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_for_sale_is_found_and_everything_is_confirmed() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let with = |version, status| ProductChangedV1 { status, ..keyboard(id, version) };
    suite.catalogue.say(&with(1, ProductStatus::Draft)).await;
    suite.wait_applied(id, 1).await;
    assert_eq!(suite.found(id).await, None);
    suite.catalogue.say(&with(2, ProductStatus::Active)).await;
    suite.wait_applied(id, 2).await;
    assert_eq!(suite.found(id).await, Some(2));
    suite.catalogue.say(&with(3, ProductStatus::Archived)).await;
    suite.wait_applied(id, 3).await;
    assert_eq!(suite.found(id).await, None);
    suite.catalogue.say(&with(4, ProductStatus::Active)).await;
    suite.wait_applied(id, 4).await;
    assert_eq!(suite.found(id).await, Some(4));
    suite.catalogue.say(&deleted(id, 5)).await;
    suite.wait_applied(id, 5).await;
    assert_eq!(suite.found(id).await, None);
    // A change that was overtaken by the deletion does not bring it back.
    suite.catalogue.say(&with(4, ProductStatus::Active)).await;
    suite.at_rest().await;
    assert_eq!(suite.found(id).await, None);
    assert_eq!(suite.count("select count(*) from document_sku").await, 0);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_and_deletions_in_one_batch_take_effect_in_their_order() {
    let suite = Suite::start().await;
    let (first, second) = (ProductId::new(), ProductId::new());
    // Two types in turn are two runs of each handler in one transaction.
    for round in 0..20 {
        let version = 2 * round + 1;
        suite.catalogue.say(&keyboard(first, version)).await;
        suite.catalogue.say(&deleted(first, version + 1)).await;
        suite.catalogue.say(&keyboard(second, version)).await;
        suite.catalogue.say(&keyboard(second, version + 1)).await;
    }
    suite.wait_applied(first, 40).await;
    suite.wait_applied(second, 40).await;
    assert_eq!((suite.found(first).await, suite.found(second).await), (None, Some(40)));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_a_dead_letter_and_said_to_have_failed() {
    let suite = Suite::start().await;
    let (bad, good) = (ProductId::new(), ProductId::new());
    let data = json!({"product_id": bad, "version": 7, "variants": "none"}).to_string();
    suite.catalogue.say_raw::<ProductChangedV1>(&bad.to_string(), 1, &data).await;
    suite.catalogue.say(&keyboard(good, 1)).await;
    suite.wait_applied(good, 1).await;
    let failed = wait_for("the failure was heard", PATIENCE, async || {
        suite.failed.all().into_iter().next().ok_or("not yet")
    });
    let failed = failed.await.unwrap();
    assert_eq!((failed.failed.product_id, failed.failed.version.get()), (bad, 7));
    assert!(failed.reason.contains("undecodable"), "{}", failed.reason);
    assert_eq!(suite.found(bad).await, None);
    suite.finish(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_has_the_whole_index_and_each_receipt_is_said_once() {
    let suite = Suite::start().await;
    let replica = suite.start_replica().await;
    let products = keyboards(200);
    for products in products.chunks(20) {
        suite.catalogue.say_all(products).await;
    }
    wait_for("both have everything", PATIENCE, async || {
        let (here, there) = (
            suite.search(&[("q", "机械键盘")]).await["total"].clone(),
            replica.total("机械键盘").await,
        );
        if here == 200 && there == 200 { Ok(()) } else { Err(format!("{here} and {there}")) }
    })
    .await
    .unwrap();
    suite.at_rest().await;
    let mut confirmed: Vec<ProductId> = Vec::new();
    for receipt in suite.applied.all() {
        confirmed.extend(receipt.applied.iter().map(|one| one.product_id));
    }
    confirmed.sort_unstable();
    let mut expected: Vec<ProductId> = products.iter().map(|one| one.product_id).collect();
    expected.sort_unstable();
    assert_eq!(confirmed, expected);
    drop(replica);
    suite.finish(0).await;
}

/// The edited product is said last of all; a queue that is taken in its order would give it the last change of its slot group.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_by_hand_overtakes_an_import() {
    let mut suite = Suite::around().await;
    let imported = keyboards(600);
    for rows in imported.chunks(100) {
        suite.catalogue.say_bulk(rows).await;
    }
    let edited = again(&imported[599]);
    suite.catalogue.say(&edited).await;
    suite.catalogue.has_said_everything().await;
    // The first batch waits for the lock on the numbers of changes, until the rest is in hand.
    let mut gate = suite.pool.begin().await.unwrap();
    search_sync::storage::changes::lock(&mut gate).await.unwrap();
    suite.start_service().await;
    wait_for("all is in hand", PATIENCE, async || {
        let queues = suite.vhost.queues().await.unwrap();
        let ours = queues.iter().filter(|queue| queue.name.starts_with("search-sync.product."));
        let (ready, in_hand) = ours.fold((0, 0), |(ready, in_hand), queue| {
            (ready + queue.messages_ready, in_hand + queue.messages_unacknowledged)
        });
        if ready == 0 && in_hand > 0 { Ok(()) } else { Err(format!("{ready}, {in_hand}")) }
    })
    .await
    .unwrap();
    gate.rollback().await.unwrap();
    suite.wait_applied(edited.product_id, 2).await;
    suite.wait_count("select count(*) from document", 600).await;

    let group = |id: ProductId| Slot::of(&id.to_string()).number() % SLOT_GROUPS;
    let changes: Vec<(Uuid, i64)> =
        sqlx::query_as("select product_id, change from document order by change")
            .fetch_all(&suite.pool)
            .await
            .unwrap();
    let mut of_group =
        changes.iter().filter(|(id, _)| group(ProductId::from(*id)) == group(edited.product_id));
    let before = of_group.position(|(id, _)| *id == edited.product_id.as_uuid()).unwrap();
    // A batch may have been taken before the edit was in hand, and it waits for the end of one.
    assert!(before < 200, "{before} of its group came first");
    assert_eq!(suite.found(edited.product_id).await, Some(2));
    suite.finish(0).await;
}
