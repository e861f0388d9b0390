//! JSON request and response bodies.

use axum::{
    RequestExt as _,
    body::{Bytes, HttpBody as _},
    extract::{FromRequest, OptionalFromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{nul, serde_error::field_error};
use crate::response::Problem;

/// A JSON request or response body.
///
/// As an extractor it rejects with
///
/// - 415 `unsupported_media_type`: the content type is not JSON;
/// - 408 `body_too_slow`: the body came too slowly;
/// - 413 `body_too_large`: the body exceeds the route's limit;
/// - 400 `malformed_json`: the body is not JSON;
/// - 422 `invalid_body`: the JSON does not match the type; `errors` names the field;
/// - 422 `validation_failed`: a text contains the character U+0000; `errors` names the field.
///
/// Unknown fields are rejected if the type has `#[serde(deny_unknown_fields)]`. `Option<Json<T>>` allows an empty body.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Json<T>, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body must be JSON",
            )
            .detail("Send the body with Content-Type: application/json."));
        }
        let body: Bytes =
            request.extract().await.map_err(|rejection| unreadable_body(&rejection))?;
        if let Some(path) = nul::path_in_json(&body) {
            return Err(Problem::validation(vec![nul::error(path)]));
        }
        match serde_json::from_slice(&body) {
            Ok(value) => Ok(Json(value)),
            Err(error) => Err(problem::<T>(&body, &error)),
        }
    }
}

impl<T, S> OptionalFromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Json<T>>, Problem> {
        if request.body().is_end_stream() {
            return Ok(None);
        }
        <Json<T> as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// `application/json` and `application/…+json`, with or without parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The problem of a body that is too large, came too slowly or was cut off.
pub fn unreadable_body(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "The body is too large",
        );
    }
    Problem::unreadable_body(rejection)
}

/// Explains why a body was rejected. Parses it again to find the path, which only rejected bodies pay for.
fn problem<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> Problem {
    // The first error may be a wrong type, in a body that is malformed further on.
    let malformed = match str::from_utf8(body) {
        Ok(text) => serde_json::from_str::<IgnoredAny>(text).err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(reason) = malformed {
        return Problem::bad_request("malformed_json", "The body is not JSON").detail(reason);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let field = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Ok(_) => field_error("", &without_position(error)),
        Err(located) => {
            let path = located.path().to_string();
            // `serde_path_to_error` writes the root as a dot.
            let path = if path == "." { "" } else { &path };
            field_error(path, &without_position(located.inner()))
        }
    };
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_body",
        "The body does not have the expected shape",
    )
    .errors(vec![field])
}

/// The error message without line and column, which the path replaces.
fn without_position(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}
