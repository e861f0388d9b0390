//! JSON bodies that a handler needs as bytes first, because they are signed or optional.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest as _, Request},
    http::{HeaderValue, header::CONTENT_TYPE},
};
use problem::{Json, Problem};
use serde::de::DeserializeOwned;

/// Parses a body, with the same problems as [`Json`].
pub(super) async fn parse<T: DeserializeOwned>(bytes: Bytes) -> Result<T, Problem> {
    let mut request = Request::new(Body::from(bytes));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Json::from_request(request, &()).await.map(|Json(value)| value)
}
