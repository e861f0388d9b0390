//! JSON bodies.

use axum::{Router, body::Body, extract::DefaultBodyLimit, http::Request, routing::post};
use problem::Json;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{TestResponse, send};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    customer: String,
    lines: Vec<Line>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    sku: String,
    quantity: u32,
}

fn router() -> Router {
    Router::new()
        .route("/", post(async |Json(order): Json<Order>| Json(order)))
        .layer(DefaultBodyLimit::max(512))
}

async fn post_json(body: impl Into<Body>) -> TestResponse {
    let request = Request::post("/").header("content-type", "application/json");
    send(&router(), request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn a_valid_body_is_accepted() {
    let body = json!({"customer": "c", "lines": [{"sku": "A-1", "quantity": 2}]});
    let response = post_json(body.to_string()).await;
    assert_eq!((response.status.as_u16(), response.body), (200, body));
}

#[tokio::test]
async fn malformed_json_is_400() {
    for bad in ["", "{", "{\"customer\": }", "[1,", "[", "{} trailing", "\u{feff}{}"] {
        let response = post_json(bad).await;
        assert_eq!(response.problem(), (400, "malformed_json", vec![]), "{bad:?}");
    }
    let not_utf8: &[u8] = b"{\"customer\": \"\xff\", \"lines\": []}";
    let response = post_json(not_utf8).await;
    assert_eq!(response.problem(), (400, "malformed_json", vec![]));
}

#[tokio::test]
async fn json_of_the_wrong_shape_is_422_and_names_the_field() {
    for (bad, field, code) in [
        (json!({"lines": []}), "customer", "required"),
        (json!({"customer": 7, "lines": []}), "customer", "invalid"),
        (json!({"customer": "c", "lines": [{"quantity": 1}]}), "lines[0].sku", "required"),
        (
            json!({"customer": "c", "lines": [{"sku": "A", "quantity": -1}]}),
            "lines[0].quantity",
            "invalid",
        ),
        (json!({"customer": "c", "lines": [], "price": 1}), "price", "unknown_field"),
        (
            json!({"customer": "c", "lines": [{"sku": "A", "quantity": 1, "price": 1}]}),
            "lines[0].price",
            "unknown_field",
        ),
        (json!([]), "", "invalid"),
        (json!("text"), "", "invalid"),
        (json!(null), "", "invalid"),
    ] {
        let response = post_json(bad.to_string()).await;
        assert_eq!(
            response.problem(),
            (422, "invalid_body", vec![field]),
            "{bad} {}",
            response.body
        );
        assert_eq!(response.body["errors"][0]["code"], code, "{bad}");
        let message = response.body["errors"][0]["message"].as_str().unwrap();
        assert!(!message.contains(" at line "), "{message}");
    }
}

#[tokio::test]
async fn a_content_type_other_than_json_is_415() {
    for kind in [None, Some("text/plain"), Some("application/jsonx"), Some("text/json+json")] {
        let mut request = Request::post("/");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let response = send(&router(), request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(response.problem(), (415, "unsupported_media_type", vec![]), "{kind:?}");
    }
    for kind in
        ["application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"]
    {
        let request = Request::post("/").header("content-type", kind);
        let response = send(&router(), request.body(Body::from("{")).unwrap()).await;
        assert_eq!(response.problem(), (400, "malformed_json", vec![]), "{kind}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let large = format!("{{\"customer\": \"{}\"}}", "x".repeat(600));
    let response = post_json(large.clone()).await;
    assert_eq!(response.problem(), (413, "body_too_large", vec![]));

    // A chunked body has no content length.
    let chunks = large.into_bytes().chunks(100).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let chunks = chunks.into_iter().map(Ok::<Vec<u8>, std::convert::Infallible>);
    let response = post_json(Body::from_stream(futures::stream::iter(chunks))).await;
    assert_eq!(response.problem(), (413, "body_too_large", vec![]));
}

#[tokio::test]
async fn an_interrupted_body_is_400() {
    let pieces = [Ok("{\"customer\":"), Err(std::io::Error::other("the cable was pulled"))];
    let response = post_json(Body::from_stream(futures::stream::iter(pieces))).await;
    assert_eq!(response.problem(), (400, "unreadable_body", vec![]));
}
