//! What a client sees of problems, and what the extractors take and refuse.

// Helpers outside of `#[test]` functions are test code too.
#![cfg(test)]

mod answers;
mod bodies;
mod constraints;
mod fallbacks;
mod headers;
mod parameters;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tower::ServiceExt as _;

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    async fn read(response: Response) -> Answer {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn of(answer: impl IntoResponse) -> Answer {
        Answer::read(answer.into_response()).await
    }

    /// The header's text, `""` if it is absent.
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, code and the fields named, of what must be a problem.
    fn problem(&self) -> (u16, &str, Vec<&str>) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        assert_eq!(self.body["status"], self.status.as_u16());
        let fields = self.body["errors"].as_array().map_or(Vec::new(), |errors| {
            errors.iter().map(|error| error["field"].as_str().unwrap()).collect()
        });
        (self.status.as_u16(), self.body["code"].as_str().unwrap(), fields)
    }
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    Answer::read(router.clone().oneshot(request).await.unwrap()).await
}

async fn get(router: &Router, uri: &str) -> Answer {
    send(router, Request::get(uri).body(Body::empty()).unwrap()).await
}
