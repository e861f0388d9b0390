//! `If-Match` and `Idempotency-Key`.

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request},
    routing::get,
};
use problem::{ETag, IdempotencyKey, IfMatch, Json, Problem};
use serde_json::json;

use crate::{TestResponse, send};

fn router() -> Router {
    let version = |if_match: IfMatch| json!(if_match.version());
    Router::new()
        .route("/optional", get(async move |if_match: Option<IfMatch>| Json(if_match.map(version))))
        .route("/required", get(async move |if_match: IfMatch| Json(version(if_match))))
        .route(
            "/current",
            get(async |if_match: IfMatch| {
                if_match.check(7)?;
                Ok::<_, Problem>((ETag(8), Json("changed")))
            }),
        )
        .route(
            "/key",
            get(async |key: Option<IdempotencyKey>| Json(key.map(|key| key.as_str().to_owned()))),
        )
        .route("/key-required", get(async |key: IdempotencyKey| Json(key.as_str().to_owned())))
}

async fn get_with(path: &str, name: &'static str, values: &[&[u8]]) -> TestResponse {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    for value in values {
        request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
    }
    send(&router(), request).await
}

async fn if_match(path: &str, value: &str) -> TestResponse {
    get_with(path, "if-match", &[value.as_bytes()]).await
}

#[tokio::test]
async fn if_match_yields_the_version() {
    assert_eq!(if_match("/optional", "\"7\"").await.body, json!(7));
    assert_eq!(if_match("/required", " \"7\" ").await.body, json!(7));
    assert_eq!(if_match("/required", "*").await.body, json!(null));
    assert_eq!(get_with("/optional", "if-match", &[]).await.body, json!(null));
}

#[tokio::test]
async fn missing_if_match_is_428_if_required() {
    let response = get_with("/required", "if-match", &[]).await;
    assert_eq!(response.problem(), (428, "if_match_required", vec![]));
}

#[tokio::test]
async fn an_invalid_entity_tag_is_400() {
    for bad in ["7", "\"7", "7\"", "", "\"", "\"7\", \"8\"", "'7'"] {
        let response = if_match("/optional", bad).await;
        assert_eq!(response.problem(), (400, "invalid_if_match", vec![]), "{bad}");
    }
    let twice = get_with("/optional", "if-match", &[b"\"7\"", b"\"8\""]).await;
    assert_eq!(twice.problem(), (400, "invalid_if_match", vec![]));
    let binary = get_with("/optional", "if-match", &[b"\"\xe9\""]).await;
    assert_eq!(binary.problem(), (400, "invalid_if_match", vec![]));
}

#[tokio::test]
async fn a_tag_that_no_version_can_have_is_412() {
    for other in ["W/\"7\"", "\"abc\"", "\"\"", "\"07\"", "\"+7\"", "\"99999999999999999999\""] {
        let response = if_match("/optional", other).await;
        assert_eq!(response.problem(), (412, "precondition_failed", vec![]), "{other}");
    }
}

#[tokio::test]
async fn only_the_current_version_matches() {
    let response = if_match("/current", "\"7\"").await;
    assert_eq!((response.status.as_u16(), response.header("etag")), (200, "\"8\""));
    assert_eq!(if_match("/current", "*").await.status.as_u16(), 200);
    let response = if_match("/current", "\"6\"").await;
    assert_eq!(response.problem(), (412, "precondition_failed", vec![]));
}

#[tokio::test]
async fn an_idempotency_key_is_short_visible_ascii() {
    let longest = "k".repeat(255);
    for good in ["a", "\"8e03978e\"", longest.as_str()] {
        let response = get_with("/key", "idempotency-key", &[good.as_bytes()]).await;
        assert_eq!(response.body, json!(good));
    }
    assert_eq!(get_with("/key", "idempotency-key", &[]).await.body, json!(null));

    let too_long = "k".repeat(256);
    for bad in [&b""[..], b"a b", b"\xc3\xa9", b"a\tb", too_long.as_bytes()] {
        let response = get_with("/key", "idempotency-key", &[bad]).await;
        assert_eq!(response.problem(), (400, "invalid_idempotency_key", vec![]), "{bad:?}");
    }
    let twice = get_with("/key", "idempotency-key", &[b"a", b"a"]).await;
    assert_eq!(twice.problem(), (400, "invalid_idempotency_key", vec![]));
    let missing = get_with("/key-required", "idempotency-key", &[]).await;
    assert_eq!(missing.problem(), (400, "invalid_idempotency_key", vec![]));
}
