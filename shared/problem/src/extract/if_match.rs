//! Versions as entity tags: `ETag: "7"` on the way out, `If-Match: "7"` on the way in.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponseParts, ResponseParts};

use super::single_header;
use crate::Problem;

/// The version that the client's change rests upon.
///
/// Taken as `Option<IfMatch>` the header may be absent; taken as `IfMatch` its absence is 428 `if_match_required`. What
/// is no entity tag is 400 `invalid_if_match`; a tag that none of our versions can have is 412 at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: whatever version there is, as long as there is one.
    Any,
    /// This version only.
    Version(i64),
}

impl IfMatch {
    /// The version, unless any will do.
    pub fn version(self) -> Option<i64> {
        match self {
            IfMatch::Any => None,
            IfMatch::Version(version) => Some(version),
        }
    }

    /// 412 `precondition_failed` unless `current` is a version that the client accepts.
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
                "The change must say which version it rests upon",
            )
            .detail("Send the ETag of what you read as If-Match.")
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
            Problem::bad_request("invalid_if_match", "If-Match cannot be understood")
                .detail("It must be one entity tag, such as \"7\", or *.")
        })?;
    // If-Match compares strongly, so a weak tag matches nothing; neither does one that we never gave.
    match (weak, tag.parse::<i64>()) {
        (None, Ok(version)) if version.to_string() == tag => Ok(IfMatch::Version(version)),
        _ => Err(Problem::precondition_failed()),
    }
}

/// The version of what is answered, as the header `ETag`; put it before the body: `(ETag(7), Json(product))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ETag(pub i64);

impl IntoResponseParts for ETag {
    type Error = std::convert::Infallible;

    fn into_response_parts(
        self,
        mut response: ResponseParts,
    ) -> Result<ResponseParts, Self::Error> {
        // Digits between quotes are always a header value.
        if let Ok(value) = HeaderValue::from_str(&format!("\"{}\"", self.0)) {
            response.headers_mut().insert(ETAG, value);
        }
        Ok(response)
    }
}
