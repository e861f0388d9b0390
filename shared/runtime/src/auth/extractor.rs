//! The extractor that authenticates a request.

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::{
        HeaderMap, HeaderValue,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
        request::Parts,
    },
};
use problem::Problem;

use super::{caller::Caller, claims::TokenError, verifier::Verifier};

impl<S> OptionalFromRequestParts<S> for Caller
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Caller>, Problem> {
        Caller::of(&parts.headers, &Verifier::from_ref(state)).await
    }
}

/// The bearer token of a request; `None` if there is none, or another kind of credentials.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl Caller {
    /// The caller whose token is in `headers`; `None` without a token, 401 for an invalid one.
    pub(crate) async fn of(
        headers: &HeaderMap,
        verifier: &Verifier,
    ) -> Result<Option<Caller>, Problem> {
        if !headers.contains_key(AUTHORIZATION) {
            return Ok(None);
        }
        let token = bearer_token(headers)
            .ok_or_else(|| bad_token("Authorization is not `Bearer <token>`."))?;
        match verifier.authenticate(token).await {
            Ok(caller) => Ok(Some(caller)),
            Err(error) => {
                tracing::debug!(error = problem::chain(&error), "token refused");
                Err(bad_token(match error {
                    TokenError::Expired => "The token has expired.",
                    TokenError::NotYetValid => "The token is not valid yet.",
                    TokenError::Invalid(_)
                    | TokenError::Refused(_)
                    | TokenError::UnknownKey
                    | TokenError::Key(_)
                    | TokenError::Signing(_) => "The token is not valid.",
                }))
            }
        }
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Caller, Problem> {
        let caller = <Caller as OptionalFromRequestParts<S>>::from_request_parts(parts, state);
        caller.await?.ok_or_else(|| Problem::unauthorized("No bearer token was sent."))
    }
}

fn bad_token(reason: &str) -> Problem {
    Problem::unauthorized(reason)
        .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""))
}
