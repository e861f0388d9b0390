//! Drift is detected and repaired.

use contracts::catalog::ProductChangedV1;
use envelope::Event as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service_testkit::{LONGEST_WAIT, answer};
use testkit::wait_for;
use vocabulary::ProductId;

use crate::{
    events::{keyboard, sku_of, version},
    suite::Suite,
};

/// A product as the catalogue returns it.
fn catalog_product(event: &ProductChangedV1) -> Value {
    let mut product = serde_json::to_value(event).unwrap();
    product["id"] = product["product_id"].take();
    product
}

async fn drift(suite: &Suite) -> Value {
    let (status, drift) = answer(suite.as_operator(Method::GET, "/v1/index/drift")).await;
    assert_eq!(status, StatusCode::OK, "{drift}");
    drift
}

async fn repair(suite: &Suite) -> Value {
    let (status, repair) = answer(suite.as_operator(Method::POST, "/v1/index/repair")).await;
    assert_eq!(status, StatusCode::OK, "{repair}");
    repair
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_detected_and_repaired() {
    let suite = Suite::start().await;
    let [same, stale, removed, missing, draft] = [(); 5].map(|()| ProductId::new());
    suite.catalogue.publish_all(&[same, stale, removed].map(|id| keyboard(id, 1))).await;
    suite.wait_applied(removed, 1).await;
    suite.settle().await;
    let mut in_draft = catalog_product(&keyboard(draft, 1));
    in_draft["status"] = json!("draft");
    suite.catalog_products.lock().unwrap().extend([
        (same, catalog_product(&keyboard(same, 1))),
        (stale, catalog_product(&keyboard(stale, 4))),
        (missing, catalog_product(&keyboard(missing, 2))),
        (draft, in_draft),
    ]);
    let found = drift(&suite).await;
    assert_eq!((&found["catalogue"], &found["index"]), (&json!(4), &json!(3)));
    let mut expected = [
        json!({"product_id": stale, "catalogue_version": 4, "index_version": 1}),
        json!({"product_id": removed, "catalogue_version": null, "index_version": 1}),
        json!({"product_id": missing, "catalogue_version": 2, "index_version": null}),
    ];
    expected.sort_by_key(|one| one["product_id"].to_string());
    assert_eq!(found["items"], json!(expected));

    let repaired = repair(&suite).await;
    let counts = (&repaired["refetched"], &repaired["removed"], &repaired["reindexed"]);
    assert_eq!(counts, (&json!(3), &json!(1), &json!(0)));
    let change = repaired["change"].to_string();
    let found =
        suite.search(&[("q", &sku_of(stale)), ("min_change", &change), ("wait_ms", "10000")]).await;
    assert_eq!((&found["caught_up"], &found["items"][0]["version"]), (&json!(true), &json!(4)));
    assert_eq!(drift(&suite).await["differing"], 0);
    assert_eq!(repair(&suite).await["refetched"], 0);

    // The late event only gets a receipt.
    suite.catalogue.publish(&keyboard(missing, 2)).await;
    suite.wait_applied(missing, 2).await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repair_fetches_fields_that_are_not_stored() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    let mut event = keyboard(id, 3);
    event.variants[0].options = [("颜色".to_owned(), "月白色".to_owned())].into();
    let without_options = keyboard(id, 3);
    suite.catalogue.publish(&without_options).await;
    suite.wait_applied(id, 3).await;
    suite.catalog_products.lock().unwrap().insert(id, catalog_product(&event));
    assert_eq!(repair(&suite).await["refetched"], 0);
    let age =
        "with aged as (update document set body_format = 1 returning 1) select count(*) from aged";
    assert_eq!(suite.count(age).await, 1);
    let repaired = repair(&suite).await;
    assert_eq!(repaired["refetched"], 1);
    let change = repaired["change"].to_string();
    let wait = [("attr.颜色", "月白色"), ("min_change", &change), ("wait_ms", "10000")];
    assert_eq!(suite.search(&wait).await["total"], 1);
    assert_eq!(repair(&suite).await["refetched"], 0);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_catalogue_is_unavailable() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalog_products.lock().unwrap().insert(id, json!({"id": id, "version": "none"}));
    for (method, path) in [(Method::GET, "/v1/index/drift"), (Method::POST, "/v1/index/repair")] {
        let (status, problem) = answer(suite.as_operator(method, path)).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(problem["code"], "catalogue_unavailable");
    }
    suite.finish(0).await;
}

/// Publishes a version that the catalogue does not have, under the highest number of all.
async fn forge(suite: &Suite, id: ProductId) {
    let forged = ProductChangedV1 { version: version(i64::MAX), ..keyboard(id, 1) };
    let data = serde_json::to_string(&forged).unwrap();
    let key = forged.key();
    suite.catalogue.publish_raw::<ProductChangedV1>(&key, i64::MAX, &data).await;
    suite.wait_applied(id, i64::MAX).await;
    assert_eq!(suite.found(id).await, Some(i64::MAX));
}

/// Waits until searches find this version of the product.
async fn wait_found(suite: &Suite, id: ProductId, version: i64) {
    wait_for("the version is found", LONGEST_WAIT, async || {
        let found = suite.found(id).await;
        if found == Some(version) { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_replaces_what_was_never_published() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalogue.publish(&keyboard(id, 1)).await;
    suite.wait_applied(id, 1).await;
    suite.catalog_products.lock().unwrap().insert(id, catalog_product(&keyboard(id, 1)));
    forge(&suite, id).await;
    assert_eq!(drift(&suite).await["differing"], 1);
    assert_eq!(repair(&suite).await["refetched"], 1);
    wait_found(&suite, id, 1).await;
    assert_eq!(drift(&suite).await["differing"], 0);
    // The next honest event takes effect: its number is lower than the forged one.
    suite.catalogue.publish(&keyboard(id, 2)).await;
    wait_found(&suite, id, 2).await;
    suite.settle().await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_replaces_what_was_never_published() {
    let suite = Suite::start().await;
    let id = ProductId::new();
    suite.catalogue.publish(&keyboard(id, 1)).await;
    suite.wait_applied(id, 1).await;
    suite.catalog_products.lock().unwrap().insert(id, catalog_product(&keyboard(id, 1)));
    forge(&suite, id).await;
    let (status, started) = answer(suite.as_operator(Method::POST, "/v1/index/rebuild")).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{started}");
    wait_found(&suite, id, 1).await;
    suite.catalogue.publish(&keyboard(id, 2)).await;
    wait_found(&suite, id, 2).await;
    suite.settle().await;
    suite.finish(0).await;
}
