//! Replay of the stream into the stored events.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service_testkit::answer;
use vocabulary::ProductId;

use crate::suite::{Suite, view};

const REPLAY: &str = "/v1/replays/user_events";

async fn replay(suite: &Suite, query: &str) -> Value {
    let request = suite.as_operator(Method::POST, &format!("{REPLAY}{query}"));
    let (status, report) = answer(request).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_repairs_events_and_keeps_visitors_erased() {
    let suite = Suite::start().await;
    let product = ProductId::new();
    for visitor in ["a", "b", "c", "erased"] {
        let events: Vec<Value> = (0..10).map(|_| view(visitor, product)).collect();
        suite.send(&events).await;
        // The stream also contains duplicates.
        suite.send(&events[..2]).await;
    }
    suite.wait_until_received(48).await;
    let erased = suite.as_analyst(Method::DELETE, "/v1/visitors/erased");
    assert_eq!(answer(erased).await.0, StatusCode::NO_CONTENT);
    let reports = async || {
        let (status, report) = suite.get("/v1/reports/daily-events").await;
        assert_eq!(status, StatusCode::OK, "{report}");
        (report["items"].clone(), suite.conservation().await)
    };
    let before = reports().await;

    let unchanged = replay(&suite, "?compare_only=true").await;
    assert_eq!(
        (&unchanged["differences"], &unchanged["swapped"]),
        (&json!(0), &json!(false)),
        "{unchanged}"
    );
    assert_eq!(unchanged["tables"][0]["live_rows"], 30);

    let damage = "
        delete from user_event where visitor_id = 'a';
        update user_event set kind = 'search' where visitor_id = 'b'";
    sqlx::raw_sql(damage).execute(&suite.pool).await.unwrap();
    assert_ne!(reports().await, before);
    for (query, swapped) in [("?compare_only=true", false), ("", true)] {
        let found = replay(&suite, query).await;
        assert_eq!(found["differences"], 20, "{found}");
        assert_eq!(found["swapped"], swapped);
    }
    assert_eq!(reports().await, before);
    assert_eq!(replay(&suite, "").await["differences"], 0);

    // Later events are counted as before.
    suite.send(&[view("d", product)]).await;
    suite.wait_until_received(49).await;
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_needs_the_ops_scope_and_a_known_projection() {
    let suite = Suite::start().await;
    let status = async |request| answer(request).await.0;
    assert_eq!(status(suite.request(Method::POST, REPLAY)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(suite.as_analyst(Method::POST, REPLAY)).await, StatusCode::FORBIDDEN);
    let unknown = suite.as_operator(Method::POST, "/v1/replays/nothing");
    assert_eq!(status(unknown).await, StatusCode::NOT_FOUND);
    let wrong = suite.as_operator(Method::POST, &format!("{REPLAY}?compare=true"));
    assert_eq!(status(wrong).await, StatusCode::BAD_REQUEST);
    // The stream and the table are empty.
    assert_eq!(replay(&suite, "").await["differences"], 0);
    suite.finish(0).await;
}
