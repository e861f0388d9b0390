//! Authorisation and validation of requests.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use service_testkit::answer;
use uuid::Uuid;

use crate::suite::Suite;

/// Status and code of a problem.
fn code((status, body): (StatusCode, Value)) -> (u16, String) {
    (status.as_u16(), body["code"].as_str().unwrap_or_default().to_owned())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn analytics_need_a_scope_and_recommendations_none() {
    let suite = Suite::start().await;
    let calls = [
        (Method::GET, "/v1/funnel"),
        (Method::GET, "/v1/sessions"),
        (Method::GET, "/v1/reports/conservation"),
        (Method::GET, "/v1/reports/none"),
        (Method::GET, "/v1/event-rules"),
        (Method::PUT, "/v1/event-rules"),
        (Method::DELETE, "/v1/visitors/v"),
        (Method::GET, "/v1/dead-letters"),
    ];
    for (method, path) in calls {
        let unsigned = answer(suite.request(method.clone(), path)).await;
        assert_eq!(code(unsigned), refused(401, "unauthorized"), "{method} {path}");
        let unauthorized = answer(suite.as_unauthorized(method.clone(), path)).await;
        assert_eq!(code(unauthorized), refused(403, "insufficient_scope"), "{method} {path}");
    }
    assert_eq!(suite.count("select count(*) from erasure").await, 0);
    let id = Uuid::now_v7();
    for path in [
        format!("/v1/recommendations/similar/{id}"),
        format!("/v1/recommendations/companions/{id}"),
        "/v1/trending".to_owned(),
    ] {
        let (status, list) = answer(suite.request(Method::GET, &path)).await;
        assert_eq!((status, list), (StatusCode::OK, json!({"items": []})), "{path}");
    }
    let session = suite.request(Method::POST, "/v1/recommendations/session");
    let (status, list) = answer(session.json(&json!({"product_ids": [id]}))).await;
    assert_eq!((status, list), (StatusCode::OK, json!({"items": []})));
    suite.finish(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_requests_are_rejected() {
    let suite = Suite::start().await;
    let id = Uuid::now_v7();
    let long = "x".repeat(65);
    let gets = [
        ("/v1/recommendations/similar/7".to_owned(), refused(400, "invalid_path")),
        (format!("/v1/recommendations/similar/{id}?limit=0"), refused(400, "invalid_query")),
        (format!("/v1/recommendations/companions/{id}?limit=51"), refused(400, "invalid_query")),
        (format!("/v1/recommendations/for/{long}"), refused(400, "invalid_path")),
        ("/v1/recommendations/for/v?lang=fr".to_owned(), refused(400, "invalid_query")),
        ("/v1/trending?window=year".to_owned(), refused(400, "invalid_query")),
        ("/v1/trending?colour=red".to_owned(), refused(400, "invalid_query")),
        ("/v1/funnel?from=yesterday".to_owned(), refused(400, "invalid_query")),
        (
            "/v1/sessions?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z".to_owned(),
            refused(400, "invalid_query"),
        ),
        ("/v1/funnel?from=2001-01-01T00:00:00Z".to_owned(), refused(400, "invalid_query")),
        ("/v1/reports/none".to_owned(), refused(404, "not_found")),
    ];
    for (path, expected) in gets {
        assert_eq!(code(suite.get(&path).await), expected, "GET {path}");
    }
    let (_, none) = suite.get("/v1/reports/none").await;
    assert_eq!(
        none["reports"],
        json!(["daily-events", "top-products", "event-verdicts", "conservation"])
    );
    let posts = [
        (json!({"product_ids": [7]}), refused(422, "invalid_body")),
        (json!({"product_ids": [], "colour": "red"}), refused(422, "invalid_body")),
        (json!({"product_ids": vec![id; 101]}), refused(422, "validation_failed")),
        (json!({"product_ids": [id], "limit": 0}), refused(422, "validation_failed")),
        (json!({"product_ids": [id], "visitor_id": ""}), refused(422, "validation_failed")),
        (json!({"product_ids": [id], "session_id": long}), refused(422, "validation_failed")),
    ];
    for (body, expected) in posts {
        let session = suite.request(Method::POST, "/v1/recommendations/session").json(&body);
        assert_eq!(code(answer(session).await), expected, "{body}");
    }
    let erased = suite.as_analyst(Method::DELETE, &format!("/v1/visitors/{long}"));
    assert_eq!(code(answer(erased).await), refused(400, "invalid_path"));
    suite.finish(0).await;
}
