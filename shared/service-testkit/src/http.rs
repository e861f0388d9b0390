//! Requests of tests.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

use crate::limits::LONGEST_WAIT;

/// Sends a request; returns status and body, `null` for a body that is not JSON.
pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.timeout(LONGEST_WAIT).send().await.unwrap();
    let status = response.status();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}
