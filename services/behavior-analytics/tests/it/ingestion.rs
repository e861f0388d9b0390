//! Ingestion of user events.

use contracts::behavior::USER_EVENTS_STREAM;
use messaging::streams::StreamWriter;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service_testkit::answer;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vocabulary::ProductId;

use crate::suite::{Suite, view};

#[tokio::test(flavor = "multi_thread")]
async fn invalid_events_are_rejected_and_duplicates_count_once() {
    let suite = Suite::start().await;
    let product = ProductId::new();
    let mut events: Vec<Value> = (0..10).map(|n| view(&format!("v{n}"), product)).collect();
    events[3]["event_id"] = json!("not an id");
    events[5]["type"] = json!("product_seen");
    events[7]["occurred_at"] = json!("2001-01-01T00:00:00Z");
    events[8]["properties"] = json!({"referrer": "搜索", "price": 12.5});
    let (status, response) = suite.post_events(&json!(events)).await;
    assert_eq!((status, &response["accepted"]), (StatusCode::ACCEPTED, &json!(7)));
    let rejected: Vec<(u64, &str)> = response["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["index"].as_u64().unwrap(), one["code"].as_str().unwrap()))
        .collect();
    assert_eq!(rejected, [(3, "malformed"), (5, "unknown_type"), (7, "too_old")]);
    assert!(response["rejected"][0]["reason"].as_str().unwrap().contains("event_id"));

    // The same batch again, and a batch with the same event twice.
    assert_eq!(suite.post_events(&json!(events)).await.1["accepted"], 7);
    assert_eq!(suite.post_events(&json!([events[0], events[0]])).await.1["accepted"], 2);
    let row = suite.wait_until_received(16).await;
    assert_eq!((&row["stored"], &row["duplicates"]), (&json!(7), &json!(9)));
    assert_eq!(suite.count("select count(*) from user_event").await, 7);
    let kept = "select count(*) from user_event where properties = '{\"referrer\": \"搜索\", \"price\": 12.5}'";
    assert_eq!(suite.count(kept).await, 1);
    let (_, daily) = suite.get("/v1/reports/daily-events").await;
    assert_eq!(daily["items"][0]["events"], 7, "{daily}");
    assert_eq!(daily["items"][0]["visitors"], 7, "{daily}");
    // The product is not in the catalogue.
    assert_eq!(daily["items"][0]["counted"], 0, "{daily}");
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_event_and_lines_are_accepted() {
    let suite = Suite::start().await;
    let product = ProductId::new();
    assert_eq!(suite.post_events(&view("a", product)).await.1["accepted"], 1);
    let lines = format!("{}\n{}\n{{broken\n", view("b", product), view("c", product));
    let sent = |content_type: Option<&str>| {
        let request = suite.request(Method::POST, "/v1/events").body(lines.clone());
        match content_type {
            Some(content_type) => request.header("content-type", content_type),
            None => request,
        }
    };
    let pretty = format!("{:#}\n{:#}", view("b", product), view("c", product));
    let beacon = suite.request(Method::POST, "/v1/events").body(pretty);
    let (status, response) = answer(beacon.header("content-type", "text/plain")).await;
    assert_eq!((status, &response["accepted"]), (StatusCode::ACCEPTED, &json!(2)));
    for content_type in [Some("application/x-ndjson"), Some("text/plain;charset=UTF-8"), None] {
        let (status, response) = answer(sent(content_type)).await;
        assert_eq!((status, &response["accepted"]), (StatusCode::ACCEPTED, &json!(2)));
        assert_eq!(response["rejected"][0]["index"], 2, "{response}");
    }
    let row = suite.wait_until_received(9).await;
    assert_eq!((&row["stored"], &row["duplicates"]), (&json!(5), &json!(4)));

    // Nothing is appended if no event is accepted.
    let (status, response) = suite.post_events(&json!([7])).await;
    assert_eq!((status, &response["accepted"]), (StatusCode::ACCEPTED, &json!(0)));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_bodies_are_rejected_as_a_whole() {
    let suite = Suite::start().await;
    let post = |content_type: &str, body: String| {
        let request = suite.request(Method::POST, "/v1/events").body(body);
        answer(request.header("content-type", content_type))
    };
    let many = format!("[{}]", vec!["{}"; 1001].join(","));
    let padded = view(&"x".repeat(64), ProductId::new()).to_string() + &" ".repeat(1024 * 1024);
    let calls = [
        ("application/json", "[".to_owned(), 400, "malformed_json"),
        ("application/json", String::new(), 400, "malformed_json"),
        ("application/json", "[]".to_owned(), 422, "validation_failed"),
        ("application/x-ndjson", "\n".to_owned(), 422, "validation_failed"),
        ("application/json", many, 422, "validation_failed"),
        ("application/json", padded, 413, "body_too_large"),
        ("image/png", "{}".to_owned(), 415, "unsupported_media_type"),
    ];
    for (content_type, body, status, code) in calls {
        let (refused, problem) = post(content_type, body).await;
        assert_eq!((refused.as_u16(), &problem["code"]), (status, &json!(code)), "{problem}");
    }
    // The maximum is 1,000 events, which become one message.
    let product = ProductId::new();
    let most: Vec<Value> = (0..1000).map(|n| view(&format!("v{}", n % 7), product)).collect();
    suite.send(&most).await;
    let row = suite.wait_until_received(1000).await;
    assert_eq!(row["stored"], 1000);
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undecodable_stream_message_becomes_a_dead_letter() {
    let suite = Suite::start().await;
    let (writer, task) = StreamWriter::new(suite.vhost.url(), USER_EVENTS_STREAM);
    let stop = CancellationToken::new();
    let (appended, ()) = tokio::join!(
        async {
            let appended = writer.append(b"nonsense".to_vec()).await;
            stop.cancel();
            appended
        },
        task.run(stop.clone()),
    );
    appended.unwrap();
    suite.send(&[view("a", Uuid::now_v7().into())]).await;
    assert_eq!(suite.wait_until_received(1).await["stored"], 1);
    suite.finish(1).await;
}
