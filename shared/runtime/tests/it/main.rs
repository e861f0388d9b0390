//! What every service is given here, tried from outside: in the process over HTTP, and as a process of its own.

// Helpers outside of `#[test]` functions are test code too.
#![cfg(test)]

mod auth;
mod cli;
mod database;
mod lifecycle;
mod pages;
mod process;
mod requests;
mod serve;

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use axum::{BoxError, Router};
use runtime::Service;
use serde_json::Value;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

/// How long a state may take to come. Generous: a machine may be busy.
const DEADLINE: Duration = Duration::from_secs(20);

const SERVICE: Service =
    Service { name: "tested", about: "Is tested.", version: "1.2.3", http_addr: "127.0.0.1:8098" };

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    async fn read(response: Response) -> Answer {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 24).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The header's text, `""` if it is absent.
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of what must be a problem.
    fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        (self.status.as_u16(), self.json()["code"].as_str().unwrap().to_owned())
    }
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    Answer::read(router.clone().oneshot(request).await.unwrap()).await
}

async fn get(router: &Router, uri: &str) -> Answer {
    send(router, Request::get(uri).body(Body::empty()).unwrap()).await
}

/// Runs beside the test. A handle that is dropped is awaited by nobody; the task ends with the test.
#[expect(
    clippy::disallowed_methods,
    reason = "the test is no service, and its tasks may end with it"
)]
fn in_background<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    tokio::spawn(future)
}

/// The result of `future`, which must come before the deadline.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(DEADLINE, future).await.map_err(BoxError::from);
    result.unwrap()
}
