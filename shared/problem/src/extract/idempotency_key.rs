//! The key that identifies a repeated POST as the same operation.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{HeaderName, request::Parts},
};

use super::single_header;
use crate::response::Problem;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The value of `Idempotency-Key`: 1 to 255 characters of visible ASCII.
///
/// `Option<IdempotencyKey>` makes the header optional. An invalid key, or a missing one with `IdempotencyKey`, is 400
/// `invalid_idempotency_key`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for IdempotencyKey {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> Result<Option<IdempotencyKey>, Problem> {
        single_header(parts, &HEADER, "invalid_idempotency_key")?.map(parse).transpose()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<IdempotencyKey, Problem> {
        match single_header(parts, &HEADER, "invalid_idempotency_key")? {
            Some(header) => parse(header),
            None => Err(invalid().detail("Idempotency-Key is required.")),
        }
    }
}

fn parse(header: &str) -> Result<IdempotencyKey, Problem> {
    let visible = header.bytes().all(|byte| byte.is_ascii_graphic());
    if visible && (1..=255).contains(&header.len()) {
        Ok(IdempotencyKey(header.to_owned()))
    } else {
        Err(invalid().detail("Idempotency-Key must be 1 to 255 characters of visible ASCII."))
    }
}

fn invalid() -> Problem {
    Problem::bad_request("invalid_idempotency_key", "The idempotency key is not valid")
}
