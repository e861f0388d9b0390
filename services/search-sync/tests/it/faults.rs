//! Kills and damaged files: no change and no receipt is lost.

use std::{fs, path::PathBuf};

use service_testkit::LONGEST_WAIT;
use sqlx::Acquire as _;
use testkit::wait_for;
use vocabulary::ProductId;

use crate::{
    events::{keyboard, keyboards},
    suite::Suite,
};

#[tokio::test(flavor = "multi_thread")]
async fn kill_before_indexing_loses_no_change() {
    let mut suite = Suite::start().await;
    let (known, new) = (ProductId::new(), ProductId::new());
    suite.catalogue.publish(&keyboard(known, 1)).await;
    suite.wait_applied(known, 1).await;
    suite.kill_service().await;

    let consumers = suite.consume_without_indexer();
    suite.catalogue.publish_all(&[keyboard(known, 2), keyboard(new, 1)]).await;
    suite.wait_count("select count(*) from receipt_due", 2).await;
    consumers.abort();
    consumers.run_until_shutdown().await;
    assert_eq!(suite.published_receipt(new), None);

    suite.start_service().await;
    assert_eq!((suite.found(known).await, suite.found(new).await), (Some(2), Some(1)));
    suite.wait_applied(known, 2).await;
    suite.wait_applied(new, 1).await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_after_indexing_loses_no_receipt() {
    let mut suite = Suite::without_service().await;
    let id = ProductId::new();
    let consumers = suite.consume_without_indexer();
    suite.catalogue.publish(&keyboard(id, 1)).await;
    suite.wait_count("select count(*) from receipt_due", 1).await;
    consumers.shutdown();
    consumers.run_until_shutdown().await;

    // The lock keeps the indexer from taking the receipt.
    let mut connection = suite.pool.acquire().await.unwrap();
    let mut locking = connection.begin().await.unwrap();
    let _: Vec<i64> = sqlx::query_scalar("select version from receipt_due for update")
        .fetch_all(&mut *locking)
        .await
        .unwrap();
    suite.start_service().await;
    assert_eq!(suite.found(id).await, Some(1));
    suite.kill_service().await;
    locking.rollback().await.unwrap();
    drop(connection);
    assert_eq!(suite.published_receipt(id), None);

    suite.start_service().await;
    suite.wait_applied(id, 1).await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_kills_under_load_lose_nothing() {
    let mut suite = Suite::start().await;
    let products = keyboards(600);
    for (round, products) in products.chunks(100).enumerate() {
        for products in products.chunks(10) {
            suite.catalogue.publish_all(products).await;
        }
        // Kill it at another point in each round.
        let reached = i64::try_from(round * 100 + 15 * round + 1).unwrap();
        wait_for("some documents are written", LONGEST_WAIT, async || {
            let written = suite.count("select count(*) from document").await;
            if written >= reached { Ok(()) } else { Err(written) }
        })
        .await
        .unwrap();
        suite.kill_service().await;
        suite.start_service().await;
    }
    wait_for("all products are found", LONGEST_WAIT, async || {
        let total = suite.search(&[("q", "机械键盘"), ("limit", "0")]).await["total"].clone();
        if total == 600 { Ok(()) } else { Err(total) }
    })
    .await
    .unwrap();
    suite.settle().await;
    let missing: Vec<_> =
        products.iter().filter(|one| suite.published_receipt(one.product_id) != Some(1)).collect();
    assert!(missing.is_empty(), "{} products have no receipt", missing.len());
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_index_is_rebuilt() {
    let mut suite = Suite::start().await;
    let products = keyboards(50);
    suite.catalogue.publish_all(&products).await;
    let last = products.last().unwrap().product_id;
    suite.wait_applied(last, 1).await;
    suite.settle().await;

    let flip_a_byte = |folder: PathBuf| {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let stores = files.filter(|path| path.extension().is_some_and(|end| end == "store"));
        for store in stores {
            let mut bytes = fs::read(&store).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x55;
            fs::write(&store, bytes).unwrap();
        }
    };
    let damages: [&dyn Fn(&Suite); 5] = [
        &|suite| flip_a_byte(suite.index_version()),
        &|suite| fs::write(suite.index_version().join("meta.json"), "{").unwrap(),
        &|suite| fs::remove_dir_all(suite.index_version()).unwrap(),
        &|suite| fs::write(suite.index_dir().join("current"), "nonsense").unwrap(),
        &|suite| fs::remove_dir_all(suite.index_dir()).unwrap(),
    ];
    for (number, damage) in damages.iter().enumerate() {
        suite.stop_service().await;
        let before = suite.index_dir().exists().then(|| suite.index_version());
        damage(&suite);
        suite.start_service().await;
        assert_ne!(Some(suite.index_version()), before, "damage {number}");
        let answer = suite.search(&[("q", "机械键盘"), ("limit", "0")]).await;
        assert_eq!(answer["total"], 50, "damage {number}");
        let folders = fs::read_dir(suite.index_dir()).unwrap();
        let folders = folders.filter(|entry| entry.as_ref().unwrap().path().is_dir());
        assert_eq!(folders.count(), 1, "damage {number}");
    }
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_database_is_rebuilt() {
    let mut suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalogue.publish(&keyboard(id, 1)).await;
    suite.wait_applied(id, 1).await;
    suite.settle().await;
    suite.stop_service().await;
    // Simulates a new database with the old index folder.
    sqlx::raw_sql(
        "delete from document; update index_change set source = gen_random_uuid(), last = 0",
    )
    .execute(&suite.pool)
    .await
    .unwrap();
    suite.start_service().await;
    assert_eq!(suite.found(id).await, None);
    suite.catalogue.publish(&keyboard(id, 2)).await;
    suite.wait_applied(id, 2).await;
    assert_eq!(suite.found(id).await, Some(2));
    suite.finish(0).await;
}
