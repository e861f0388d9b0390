//! The problems that clients see, and what the extractors accept and reject.

// Helpers outside of `#[test]` functions are test code too.
#![cfg(test)]

mod arbitrary;
mod bodies;
mod constraints;
mod fallbacks;
mod headers;
mod parameters;
mod responses;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tower::ServiceExt as _;

/// A response with its whole body.
struct TestResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl TestResponse {
    async fn read(response: Response) -> TestResponse {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        TestResponse { status: parts.status, headers: parts.headers, body }
    }

    async fn of(response: impl IntoResponse) -> TestResponse {
        TestResponse::read(response.into_response()).await
    }

    /// The text of the header, `""` if absent.
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that the response is a problem; returns its status, its code and the fields in `errors`.
    fn problem(&self) -> (u16, &str, Vec<&str>) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        assert_eq!(self.body["status"], self.status.as_u16());
        let fields = self.body["errors"].as_array().map_or(Vec::new(), |errors| {
            errors.iter().map(|error| error["field"].as_str().unwrap()).collect()
        });
        (self.status.as_u16(), self.body["code"].as_str().unwrap(), fields)
    }
}

async fn send(router: &Router, request: Request<Body>) -> TestResponse {
    TestResponse::read(router.clone().oneshot(request).await.unwrap()).await
}

async fn get(router: &Router, uri: &str) -> TestResponse {
    send(router, Request::get(uri).body(Body::empty()).unwrap()).await
}
