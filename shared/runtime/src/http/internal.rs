//! The internal listener: what other programs of the suite and operators read, and the public does not.

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::{Extensions, request::Parts},
};
use problem::Problem;

use crate::auth::{Caller, Scope, Verifier};

/// The extension of the OpenAPI document for operations that need no token at `INTERNAL_ADDR`.
pub(super) const OPEN_AT_INTERNAL: &str = "x-open-at-internal-addr";

/// Marks a request that came through the internal listener.
#[derive(Debug, Clone, Copy)]
pub(super) struct Internal;

/// Whether the request came through the internal listener.
pub(super) fn is_internal(extensions: &Extensions) -> bool {
    extensions.get::<Internal>().is_some()
}

/// What a request may read beyond what is public: everything through the internal listener, otherwise what the scopes of its
/// token allow.
///
/// The extractor rejects an invalid token with 401. The state must provide a [`Verifier`] by `FromRef`.
#[derive(Debug)]
pub struct ReadAccess {
    caller: Option<Caller>,
    is_internal: bool,
}

impl ReadAccess {
    /// Whether the request may read what needs `scope`.
    pub fn has(&self, scope: Scope) -> bool {
        self.is_internal || self.caller.as_ref().is_some_and(|caller| caller.has(scope))
    }

    /// Returns 401 without a token, and 403 `insufficient_scope` if it does not carry `scope`; not to the internal listener.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.is_internal {
            return Ok(());
        }
        let caller = self.caller.as_ref();
        caller.ok_or_else(|| Problem::unauthorized("No bearer token was sent."))?.require(scope)
    }
}

impl<S> FromRequestParts<S> for ReadAccess
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<ReadAccess, Problem> {
        let caller = <Caller as OptionalFromRequestParts<S>>::from_request_parts(parts, state);
        let caller = caller.await?;
        Ok(ReadAccess { caller, is_internal: is_internal(&parts.extensions) })
    }
}
