//! The extractor that authenticates a request.

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::{
        HeaderValue,
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
        let Some(header) = parts.headers.get(AUTHORIZATION) else { return Ok(None) };
        let token = header
            .to_str()
            .ok()
            .and_then(|header| header.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| bad_token("Authorization is not `Bearer <token>`."))?;
        match Verifier::from_ref(state).verify(token) {
            Ok(caller) => Ok(Some(caller)),
            Err(error) => {
                tracing::debug!(error = problem::chain(&error), "token refused");
                Err(bad_token(match error {
                    TokenError::Expired => "The token has expired.",
                    TokenError::Invalid(_) | TokenError::Key(_) | TokenError::Signing(_) => {
                        "The token is not valid."
                    }
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
