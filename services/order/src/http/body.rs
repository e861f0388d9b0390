//! Bodies that are needed as bytes first: because they are signed, or may be absent.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::header::CONTENT_TYPE,
};
use problem::{Json, Problem};
use serde::de::DeserializeOwned;

/// What the bytes say in JSON, or the same problems that [`Json`] rejects with.
pub(super) async fn parse<T: DeserializeOwned>(bytes: Bytes) -> Result<T, Problem> {
    let mut request = Request::new(Body::from(bytes));
    request
        .headers_mut()
        .insert(CONTENT_TYPE, axum::http::HeaderValue::from_static("application/json"));
    Json::from_request(request, &()).await.map(|Json(value)| value)
}
