//! Versions as entity tags: `ETag: "7"` in a response, `If-Match: "7"` in a request.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{
        HeaderValue, StatusCode,
        header::{ETAG, IF_MATCH},
        request::Parts,
    },
    response::{IntoResponseParts, ResponseParts},
};

use super::single_header;
use crate::response::Problem;

/// The version that the client wants to change.
///
/// `Option<IfMatch>` makes the header optional. With `IfMatch` a missing header is 428 `if_match_required`. A value that is
/// not an entity tag is 400 `invalid_if_match`. A tag that no version can have is 412 `precondition_failed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: any existing version.
    Any,
    Version(i64),
}

impl IfMatch {
    /// The version; `None` for `*`.
    pub fn version(self) -> Option<i64> {
        match self {
            IfMatch::Any => None,
            IfMatch::Version(version) => Some(version),
        }
    }

    /// Returns 412 `precondition_failed` unless `current` matches.
    pub fn check(self, current: i64) -> Result<(), Problem> {
        match self {
            IfMatch::Version(version) if version != current => Err(Problem::precondition_failed()),
            IfMatch::Version(_) | IfMatch::Any => Ok(()),
        }
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<IfMatch>, Problem> {
        single_header(parts, &IF_MATCH, "invalid_if_match")?.map(parse).transpose()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<IfMatch, Problem> {
        let header = single_header(parts, &IF_MATCH, "invalid_if_match")?.ok_or_else(|| {
            Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "if_match_required",
                "If-Match is required",
            )
            .detail("Send the ETag of the version that you read as If-Match.")
        })?;
        parse(header)
    }
}

fn parse(header: &str) -> Result<IfMatch, Problem> {
    let header = header.trim();
    if header == "*" {
        return Ok(IfMatch::Any);
    }
    let weak = header.strip_prefix("W/");
    let tag = weak
        .unwrap_or(header)
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|tag| !tag.contains('"'))
        .ok_or_else(|| {
            Problem::bad_request("invalid_if_match", "If-Match is not valid")
                .detail("It must be one entity tag, such as \"7\", or *.")
        })?;
    // If-Match uses strong comparison, so a weak tag never matches; neither does a tag that no service issues.
    match (weak, tag.parse::<i64>()) {
        (None, Ok(version)) if version.to_string() == tag => Ok(IfMatch::Version(version)),
        _ => Err(Problem::precondition_failed()),
    }
}

/// The version of the returned resource as the header `ETag`; put it before the body: `(ETag(7), Json(product))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ETag(pub i64);

impl IntoResponseParts for ETag {
    type Error = std::convert::Infallible;

    fn into_response_parts(
        self,
        mut response: ResponseParts,
    ) -> Result<ResponseParts, Self::Error> {
        // Digits in quotes are always a valid header value.
        if let Ok(value) = HeaderValue::from_str(&format!("\"{}\"", self.0)) {
            response.headers_mut().insert(ETAG, value);
        }
        Ok(response)
    }
}
