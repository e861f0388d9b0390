//! Events of other systems: bodies as they send them, and what is stored of them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service_testkit::answer;
use uuid::Uuid;
use vocabulary::ProductId;

use crate::suite::Suite;

const SEGMENT_TRACK: &str = include_str!("bodies/segment_track.json");
const SEGMENT_BATCH: &str = include_str!("bodies/segment_batch.json");
const GA4: &str = include_str!("bodies/ga4.json");
const BEACON: &str = include_str!("bodies/beacon.txt");

async fn post(suite: &Suite, path: &str, content_type: &str, body: &'static str) -> Value {
    let request = suite.request(Method::POST, path).header("content-type", content_type);
    let (status, response) = answer(request.body(body)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{response}");
    response
}

/// The codes of the rejected events, with their positions.
fn rejected(response: &Value) -> Vec<(u64, &str)> {
    let rejected = response["rejected"].as_array().unwrap().iter();
    rejected.map(|one| (one["index"].as_u64().unwrap(), one["code"].as_str().unwrap())).collect()
}

/// Kind, visitor, session, product and properties of a stored event.
type StoredRow = (String, String, String, Option<Uuid>, Option<Value>);

async fn stored(suite: &Suite) -> Vec<StoredRow> {
    let query =
        "select kind, visitor_id, session_id, product_id, properties from user_event order by no";
    sqlx::query_as(query).fetch_all(&suite.pool).await.unwrap()
}

fn row(kind: &str, by: (&str, &str), product: Option<ProductId>, properties: Value) -> StoredRow {
    let properties = Some(properties).filter(|properties| !properties.is_null());
    (kind.to_owned(), by.0.to_owned(), by.1.to_owned(), product.map(Uuid::from), properties)
}

async fn count_with(suite: &Suite, text: &str) -> i64 {
    sqlx::query_scalar("select count(*) from user_event u where u::text like $1")
        .bind(format!("%{text}%"))
        .fetch_one(&suite.pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_calls_of_segment_are_mapped() {
    let suite = Suite::start().await;
    let mug = suite.stocked_product("MUG-1", "x").await;
    let segment = "/v1/events/segment";
    let response = post(&suite, segment, "application/json", SEGMENT_TRACK).await;
    assert_eq!(response, json!({"accepted": 1, "rejected": []}));
    let response = post(&suite, segment, "text/plain", SEGMENT_BATCH).await;
    assert_eq!(response["accepted"], 4, "{response}");
    assert_eq!(rejected(&response), [(4, "unmapped"), (5, "unknown_product")]);
    // Sent again, as libraries do after a timeout.
    post(&suite, segment, "application/json", SEGMENT_TRACK).await;
    post(&suite, segment, "application/json", SEGMENT_BATCH).await;
    let counts = suite.wait_until_received(10).await;
    assert_eq!((&counts["stored"], &counts["duplicates"]), (&json!(5), &json!(5)));

    let by = ("anon-2", "segment");
    let added = json!({"category": "Mugs", "quantity": 2, "currency": "CNY"});
    let expected = [
        row("cart_added", ("4b1f0c52-93a7-4f0e-8a64-1f0d3f6f7c11", "segment"), Some(mug), added),
        row("list_viewed", by, None, Value::Null),
        row("searched", by, None, json!({"query": "blue mug"})),
        row("product_viewed", by, Some(mug), Value::Null),
        row("order_completed", by, None, json!({"currency": "CNY", "product_ids": [mug]})),
    ];
    assert_eq!(stored(&suite).await, expected);
    for personal in ["buyer@example.com", "203.0.113.77"] {
        assert_eq!(count_with(&suite, personal).await, 0, "{personal}");
    }
    assert_eq!(count_with(&suite, "Firefox/140").await, 1);
    // The clock of the recorded calls is long ago, and corrected.
    let late =
        "select count(*) from user_event where received_at - occurred_at > interval '3 minutes'";
    assert_eq!(suite.count(late).await, 0);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_body_of_ga4_is_mapped() {
    let suite = Suite::start().await;
    let mug = suite.stocked_product("MUG-1", "x").await;
    let path = "/v1/events/ga4?measurement_id=G-1&api_secret=s";
    let response = post(&suite, path, "application/json", GA4).await;
    assert_eq!(response["accepted"], 3, "{response}");
    assert_eq!(rejected(&response), [(3, "unmapped")]);
    post(&suite, path, "application/json", GA4).await;
    let counts = suite.wait_until_received(6).await;
    assert_eq!((&counts["stored"], &counts["duplicates"]), (&json!(3), &json!(3)));
    let by = ("1391847211.1795860000", "1795860001");
    let money = json!({"currency": "CNY", "value": 39});
    let mut ordered = money.clone();
    ordered["product_ids"] = json!([mug]);
    let expected = [
        row("product_viewed", by, Some(mug), money.clone()),
        row("cart_added", by, Some(mug), money),
        row("order_completed", by, None, ordered),
    ];
    assert_eq!(stored(&suite).await, expected);
    assert_eq!(count_with(&suite, "203.0.113.78").await, 0);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_beacon_of_several_lines_is_read() {
    let suite = Suite::start().await;
    let response = post(&suite, "/v1/events", "text/plain;charset=UTF-8", BEACON).await;
    assert_eq!(response, json!({"accepted": 2, "rejected": []}));
    suite.wait_until_received(2).await;
    let by = ("beacon", "s");
    let expected = [
        row("list_viewed", by, None, json!({"list_id": "home"})),
        row("searched", by, None, json!({"query": "杯子"})),
    ];
    assert_eq!(stored(&suite).await, expected);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_foreign_bodies_are_refused_as_a_whole() {
    let suite = Suite::start().await;
    let bomb = "[".repeat(100_000);
    let large = format!("{{\"batch\":[],\"x\":\"{}\"}}", "x".repeat(1024 * 1024));
    let many = json!({"batch": vec![json!({}); 1_001], "events": vec![json!({}); 1_001]});
    let (many, empty) = (many.to_string(), r#"{"batch":[],"events":[]}"#.to_owned());
    for path in ["/v1/events/segment", "/v1/events/ga4"] {
        for (body, status, code) in [
            ("", 400, "malformed_json"),
            ("{", 400, "malformed_json"),
            (&bomb, 400, "malformed_json"),
            (&empty, 422, "validation_failed"),
            (&many, 422, "validation_failed"),
            (&large, 413, "body_too_large"),
        ] {
            let request = suite.request(Method::POST, path).body(body.to_owned());
            let (refused, problem) = answer(request).await;
            assert_eq!((refused.as_u16(), &problem["code"]), (status, &json!(code)), "{problem}");
        }
    }
    assert_eq!(suite.conservation().await["received"], 0);
    suite.finish(0).await;
}
