//! Product events register SKUs, and receipts confirm them.

use contracts::{
    catalog::{PRODUCT, ProductChangedV1},
    receipts::ProductVersion,
};
use envelope::Event as _;
use reqwest::StatusCode;
use serde_json::json;
use service_testkit::events::{product_changed, product_deleted};
use vocabulary::{ProductId, Version};

use crate::suite::Suite;

fn version(number: i64) -> Version {
    Version::try_from(number).unwrap()
}

fn is_receipt_for(
    product_id: ProductId,
    number: i64,
) -> impl Fn(&contracts::receipts::ProductAppliedV1) -> bool {
    move |receipt| {
        receipt.applied.contains(&ProductVersion { product_id, version: version(number) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_skus_are_empty_and_withdrawn_skus_keep_their_stock() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalogue.publish(&product_changed(id, 1, &["A", "B/1#x"])).await;
    let receipts = suite.applied.wait(1, is_receipt_for(id, 1)).await;
    assert_eq!(receipts[0].service, "inventory");
    assert_eq!((suite.levels("A").await, suite.levels("B%2F1%23x").await), ((0, 0, 0), (0, 0, 0)));
    assert_eq!(suite.put("/v1/stock/A", json!({"on_hand": 4})).await.0, StatusCode::OK);

    suite.catalogue.publish(&product_changed(id, 2, &["B/1#x", "C"])).await;
    suite.applied.wait(1, is_receipt_for(id, 2)).await;
    let (_, stock) = suite.get("/v1/stock/A").await;
    assert_eq!((&stock["withdrawn"], &stock["on_hand"]), (&json!(true), &json!(4)));
    assert_eq!(suite.get("/v1/stock/C").await.1["withdrawn"], false);

    suite.catalogue.publish(&product_changed(id, 3, &["A"])).await;
    suite.applied.wait(1, is_receipt_for(id, 3)).await;
    assert_eq!(suite.get("/v1/stock/A").await.1["withdrawn"], false);

    suite.catalogue.publish(&product_deleted(id, 4)).await;
    suite.applied.wait(1, is_receipt_for(id, 4)).await;
    let (_, stock) = suite.get("/v1/stock/A").await;
    assert_eq!((&stock["withdrawn"], &stock["on_hand"]), (&json!(true), &json!(4)));
    let held = "select version from product where deleted";
    assert_eq!(suite.count(held).await, 4);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sku_moves_from_one_product_to_another() {
    let suite = Suite::start().await;
    let (old, new) = (ProductId::new(), ProductId::new());
    suite.catalogue.publish(&product_changed(old, 1, &["A"])).await;
    suite.catalogue.publish(&product_changed(new, 1, &["A"])).await;
    suite.catalogue.publish(&product_changed(old, 2, &[])).await;
    suite.applied.wait(1, is_receipt_for(old, 2)).await;
    suite.applied.wait(1, is_receipt_for(new, 1)).await;
    assert_eq!(suite.get("/v1/stock/A").await.1["withdrawn"], false);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn older_version_changes_nothing_and_gets_a_receipt() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalogue.publish(&product_changed(id, 5, &["A"])).await;
    suite.applied.wait(1, is_receipt_for(id, 5)).await;
    suite.catalogue.publish(&product_changed(id, 4, &["OLD"])).await;
    suite.applied.wait(1, is_receipt_for(id, 4)).await;
    assert_eq!(suite.get("/v1/stock/OLD").await.0, StatusCode::NOT_FOUND);
    assert_eq!(suite.count("select version from product").await, 5);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_product_of_a_large_batch_gets_a_receipt() {
    let suite = Suite::start().await;
    let names: Vec<String> = (0..300).map(|number| format!("MANY-{number}")).collect();
    let products: Vec<ProductChangedV1> =
        names.iter().map(|name| product_changed(ProductId::new(), 1, &[name.as_str()])).collect();
    suite.catalogue.publish_all(&products).await;
    for one in &products {
        suite.applied.wait(1, is_receipt_for(one.product_id, 1)).await;
    }
    assert_eq!(suite.count("select count(*) from stock where on_hand = 0").await, 300);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn undecodable_event_becomes_dead_letter_and_failed_receipt() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    assert_eq!(ProductChangedV1::AGGREGATE, PRODUCT);
    let data = json!({"product_id": id, "version": 1, "variants": "all of them"}).to_string();
    suite.catalogue.publish_raw::<ProductChangedV1>(&id.to_string(), 1, &data).await;
    let failures = suite.failed.wait(1, |_| true).await;
    assert_eq!(failures[0].failed, ProductVersion { product_id: id, version: version(1) });
    assert!(failures[0].reason.contains("undecodable"), "{}", failures[0].reason);

    // The next version repairs it.
    let repaired = serde_json::to_string(&product_changed(id, 2, &["A"])).unwrap();
    suite.catalogue.publish_raw::<ProductChangedV1>(&id.to_string(), 2, &repaired).await;
    suite.applied.wait(1, is_receipt_for(id, 2)).await;
    assert_eq!(suite.levels("A").await, (0, 0, 0));
    suite.finish(1).await;
}
