//! Killed at any instant, and with damaged files: nothing is lost, and what is due is said.

use std::{fs, path::PathBuf};

use sqlx::Acquire as _;
use testkit::wait_for;
use vocabulary::ProductId;

use crate::{
    shop::{keyboard, keyboards},
    suite::{PATIENCE, Suite},
};

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_handler_and_the_index_it_goes_on_at_the_next_start() {
    let mut suite = Suite::start().await;
    let (known, new) = (ProductId::new(), ProductId::new());
    suite.catalogue.say(&keyboard(known, 1)).await;
    suite.wait_applied(known, 1).await;
    suite.kill_service().await;

    let consumers = suite.consume_without_a_tail();
    suite.catalogue.say_all(&[keyboard(known, 2), keyboard(new, 1)]).await;
    suite.wait_count("select count(*) from receipt_due", 2).await;
    consumers.abort();
    consumers.run_until_shutdown().await;
    assert_eq!(suite.confirmed(new), None);

    suite.start_service().await;
    assert_eq!((suite.found(known).await, suite.found(new).await), (Some(2), Some(1)));
    suite.wait_applied(known, 2).await;
    suite.wait_applied(new, 1).await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_index_and_the_receipt_it_says_the_receipt_at_the_next_start() {
    let mut suite = Suite::around().await;
    let id = ProductId::new();
    let consumers = suite.consume_without_a_tail();
    suite.catalogue.say(&keyboard(id, 1)).await;
    suite.wait_count("select count(*) from receipt_due", 1).await;
    consumers.shutdown();
    consumers.run_until_shutdown().await;

    // Nobody can take the receipt as long as it is locked here.
    let mut connection = suite.pool.acquire().await.unwrap();
    let mut holding = connection.begin().await.unwrap();
    let _: Vec<i64> = sqlx::query_scalar("select version from receipt_due for update")
        .fetch_all(&mut *holding)
        .await
        .unwrap();
    suite.start_service().await;
    assert_eq!(suite.found(id).await, Some(1));
    suite.kill_service().await;
    holding.rollback().await.unwrap();
    drop(connection);
    assert_eq!(suite.confirmed(id), None);

    suite.start_service().await;
    suite.wait_applied(id, 1).await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_under_load_it_has_everything_in_the_end() {
    let mut suite = Suite::start().await;
    let products = keyboards(600);
    for (round, products) in products.chunks(100).enumerate() {
        for products in products.chunks(10) {
            suite.catalogue.say_all(products).await;
        }
        // Each round at another point of the work.
        let reached = i64::try_from(round * 100 + 15 * round + 1).unwrap();
        wait_for("some of it is written", PATIENCE, async || {
            let written = suite.count("select count(*) from document").await;
            if written >= reached { Ok(()) } else { Err(written) }
        })
        .await
        .unwrap();
        suite.kill_service().await;
        suite.start_service().await;
    }
    wait_for("everything is found", PATIENCE, async || {
        let total = suite.search(&[("q", "机械键盘"), ("limit", "0")]).await["total"].clone();
        if total == 600 { Ok(()) } else { Err(total) }
    })
    .await
    .unwrap();
    suite.at_rest().await;
    let missing: Vec<_> =
        products.iter().filter(|one| suite.confirmed(one.product_id) != Some(1)).collect();
    assert!(missing.is_empty(), "{} were not confirmed", missing.len());
    suite.finish(0).await;
}

/// The folder of the generation in use.
fn generation(suite: &Suite) -> PathBuf {
    let root = suite.index_dir();
    root.join(fs::read_to_string(root.join("current")).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_index_is_built_anew() {
    let mut suite = Suite::start().await;
    let products = keyboards(50);
    suite.catalogue.say_all(&products).await;
    let last = products.last().unwrap().product_id;
    suite.wait_applied(last, 1).await;
    suite.at_rest().await;

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
        &|suite| flip_a_byte(generation(suite)),
        &|suite| fs::write(generation(suite).join("meta.json"), "{").unwrap(),
        &|suite| fs::remove_dir_all(generation(suite)).unwrap(),
        &|suite| fs::write(suite.index_dir().join("current"), "nonsense").unwrap(),
        &|suite| fs::remove_dir_all(suite.index_dir()).unwrap(),
    ];
    for (number, damage) in damages.iter().enumerate() {
        suite.stop_service().await;
        let before = suite.index_dir().exists().then(|| generation(&suite));
        damage(&suite);
        suite.start_service().await;
        assert_ne!(Some(generation(&suite)), before, "damage {number}");
        let answer = suite.search(&[("q", "机械键盘"), ("limit", "0")]).await;
        assert_eq!(answer["total"], 50, "damage {number}");
        let folders = fs::read_dir(suite.index_dir()).unwrap();
        let folders = folders.filter(|entry| entry.as_ref().unwrap().path().is_dir());
        assert_eq!(folders.count(), 1, "damage {number}");
    }
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_database_is_not_gone_on_with() {
    let mut suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalogue.say(&keyboard(id, 1)).await;
    suite.wait_applied(id, 1).await;
    suite.at_rest().await;
    suite.stop_service().await;
    // As if the database had been made anew, and the folder of the index kept.
    sqlx::raw_sql(
        "delete from document; update index_change set source = gen_random_uuid(), last = 0",
    )
    .execute(&suite.pool)
    .await
    .unwrap();
    suite.start_service().await;
    assert_eq!(suite.found(id).await, None);
    suite.catalogue.say(&keyboard(id, 2)).await;
    suite.wait_applied(id, 2).await;
    assert_eq!(suite.found(id).await, Some(2));
    suite.finish(0).await;
}
