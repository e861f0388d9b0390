//! The runtime, tested from outside: over HTTP in this process, and as a process of its own.

// Helpers outside of `#[test]` functions are test code too.
#![cfg(test)]

mod arbitrary;
mod auth;
mod cli;
mod clients;
mod database;
mod database_roles;
mod database_tls;
mod https;
mod internal;
mod lifecycle;
mod oidc;
mod pages;
mod process;
mod raw_requests;
mod requests;
mod rollback;
mod serve;
mod topology;

use std::time::Duration;

use axum::{
    BoxError, Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
    response::Response,
};
use runtime::Service;
use serde_json::Value;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

/// The longest wait for a state; long, because the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(20);

const SERVICE: Service =
    Service { name: "tested", about: "Is tested.", version: "1.2.3", http_addr: "127.0.0.1:8098" };

/// A response with its whole body.
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

    /// The header's value, `""` if it is absent.
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a response that must be a problem.
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

/// Runs beside the test and ends with it.
#[expect(
    clippy::disallowed_methods,
    reason = "the test is no service, and its tasks may end with it"
)]
fn in_background<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    tokio::spawn(future)
}

/// The result of `future`, which must come within the longest wait.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(DEADLINE, future).await.map_err(BoxError::from);
    result.unwrap()
}
