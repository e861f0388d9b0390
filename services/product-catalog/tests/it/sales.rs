//! Compare-at prices, and sales that start and end by themselves.

use chrono::SecondsFormat;
use reqwest::Method;
use serde_json::{Value, json};
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;

use crate::suite::{Suite, id_of, keyboard, later, path_of, problem_of};

/// A time `milliseconds` from now, as in JSON.
fn at(milliseconds: i64) -> Value {
    json!(later(milliseconds).to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn yuan(amount: i64) -> Value {
    json!({"amount": amount, "currency": "CNY"})
}

/// A keyboard for 129.00, with a sale.
fn on_sale(sku: &str, amount: i64, starts_at: &Value, ends_at: &Value) -> Value {
    let mut product = keyboard(sku);
    product["variants"][0]["sale"] =
        json!({"price": yuan(amount), "starts_at": starts_at, "ends_at": ends_at});
    product
}

/// Version, price and compare-at price of each event of a product.
fn offers(suite: &Suite, product: &Value) -> Vec<(i64, i64, Option<i64>)> {
    let offers = suite.offers_of(id_of(product)).into_iter();
    offers.map(|offer| (offer.version, offer.price, offer.compare_at_price)).collect()
}

async fn wait_for_version(suite: &Suite, product: &Value, version: i64) -> Value {
    wait_for("the price has changed", LONGEST_WAIT, async || {
        let found = suite.get(&path_of(product)).await;
        if found["version"] == version { Ok(found) } else { Err(found.to_string()) }
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sale_starts_and_ends_by_itself() {
    let suite = Suite::start().await;
    let (product, _) = suite.create(&on_sale("S-1", 9_900, &at(1_500), &at(3_500))).await;
    assert_eq!(product["variants"][0].get("current_price"), None);
    let running = wait_for_version(&suite, &product, 2).await;
    assert_eq!(running["variants"][0]["current_price"], yuan(9_900));
    assert_eq!(running["variants"][0]["price"], yuan(12_900));
    assert!(running["updated_at"].as_str() >= running["variants"][0]["sale"]["starts_at"].as_str());
    // A copy that is built now equals the last event.
    let snapshot = suite.get("/v1/snapshots/product").await;
    let copied = &snapshot["items"][0]["data"]["variants"][0];
    assert_eq!((&copied["price"], &copied["compare_at_price"]), (&yuan(9_900), &yuan(12_900)));
    let ended = wait_for_version(&suite, &product, 3).await;
    assert_eq!(ended["variants"][0].get("sale"), None);
    suite.settled().await;
    let expected = [(1, 12_900, None), (2, 9_900, Some(12_900)), (3, 12_900, None)];
    assert_eq!(offers(&suite, &product), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sale_starts_once_with_replicas_and_crashes() {
    let mut suite = Suite::start().await;
    let (start, end) = (at(4_000), at(600_000));
    let lines = (0..600).map(|number| on_sale(&format!("R-{number}"), 9_900, &start, &end));
    let lines: Vec<String> = lines.map(|line| line.to_string()).collect();
    let request = suite.request(Method::POST, "/v1/imports");
    let request = request.header("content-type", "application/x-ndjson");
    let started: Value = request.body(lines.join("\n")).send().await.unwrap().json().await.unwrap();
    let import = suite.finished(&format!("/v1/imports/{}", started["id"].as_str().unwrap())).await;
    assert_eq!(import["accepted"]["created"], 600);
    let replicas = [suite.start_replica().await, suite.start_replica().await];
    // One is killed while prices change.
    wait_for("the first sales have started", LONGEST_WAIT, async || {
        let first = &suite.get("/v1/products?limit=1").await["items"][0]["version"];
        if *first == json!(1) { Err(first.to_string()) } else { Ok(()) }
    })
    .await
    .unwrap();
    suite.restart_catalogue().await;
    replicas[0].kill().await;
    suite.receive(1_200).await;
    suite.settled().await;
    let received = suite.received();
    assert_eq!(received.len(), 1_200);
    assert_eq!(received.iter().filter(|event| event.version == 2).count(), 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn compare_at_price_is_published() {
    let suite = Suite::start().await;
    let mut body = on_sale("C-1", 9_900, &Value::Null, &Value::Null);
    body["variants"][0]["compare_at_price"] = yuan(15_900);
    let (product, _) = suite.create(&body).await;
    let variant = &product["variants"][0];
    assert_eq!((&variant["price"], &variant["current_price"]), (&yuan(12_900), &yuan(9_900)));
    assert_eq!(variant["sale"], json!({"price": yuan(9_900)}));
    // Without the sale, by a merge patch.
    let mut variants = body["variants"].clone();
    variants[0].as_object_mut().unwrap().remove("sale");
    let patch = json!({ "variants": variants });
    let request = suite.request(Method::PATCH, &path_of(&product)).json(&patch);
    assert_eq!(request.send().await.unwrap().status(), 200);
    // A sale that is over is not written: nothing changes.
    let over = on_sale("C-1", 9_900, &Value::Null, &at(-1_000));
    let mut over = over["variants"].clone();
    over[0]["compare_at_price"] = yuan(15_900);
    let request = suite.request(Method::PATCH, &path_of(&product));
    let response = request.json(&json!({"variants": over})).send().await.unwrap();
    assert_eq!(response.headers()["etag"], "\"2\"");
    suite.settled().await;
    let expected = [(1, 9_900, Some(15_900)), (2, 12_900, Some(15_900))];
    assert_eq!(offers(&suite, &product), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn exported_sales_are_imported_unchanged() {
    let suite = Suite::start().await;
    let mut body = on_sale("E-1", 9_900, &at(-60_000), &at(600_000));
    body["variants"][0]["compare_at_price"] = yuan(15_900);
    let (before, _) = suite.create(&body).await;
    assert_eq!(before["variants"][0]["current_price"], yuan(9_900));
    let export = suite.request(Method::GET, "/v1/export").send().await.unwrap();
    let request = suite.request(Method::POST, "/v1/imports");
    let request = request.header("content-type", "application/x-ndjson");
    let started: Value =
        request.body(export.text().await.unwrap()).send().await.unwrap().json().await.unwrap();
    let import = suite.finished(&format!("/v1/imports/{}", started["id"].as_str().unwrap())).await;
    assert_eq!(import["accepted"], json!({"created": 0, "updated": 0, "unchanged": 1}));
    assert_eq!(suite.get(&path_of(&before)).await, before);
    suite.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_that_do_not_fit_are_refused() {
    let suite = Suite::start().await;
    let mut body = on_sale("P-1", 12_900, &at(2_000), &at(1_000));
    body["variants"][0]["compare_at_price"] = json!({"amount": 20_000, "currency": "EUR"});
    let response = suite.request(Method::POST, "/v1/products").json(&body).send().await.unwrap();
    let (status, code, fields) = problem_of(response).await;
    assert_eq!((status, code.as_str()), (422, "validation_failed"));
    let expected = ["compare_at_price.currency", "sale.ends_at", "sale.price"];
    assert_eq!(fields, expected.map(|field| format!("variants[0].{field}")));
    suite.settled().await;
}
