//! The authenticated caller of a request, as an extractor.

use std::collections::BTreeSet;

use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::http::HeaderValue;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use problem::Problem;

use super::scope::Scope;
use super::token::{TokenError, Verifier};

/// The subject and scopes of a valid bearer token.
///
/// The extractor rejects a missing or invalid token with 401 `unauthorized`. `Option<Caller>` allows a missing token
/// and still rejects an invalid one. The state must provide a [`Verifier`] by `FromRef`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    subject: String,
    scopes: BTreeSet<Scope>,
}

impl Caller {
    pub(super) fn new(subject: String, scopes: BTreeSet<Scope>) -> Caller {
        Caller { subject, scopes }
    }

    /// The token's subject: a customer's id, or the name of a program.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether the token carries `scope`.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// Returns 403 `insufficient_scope` unless the token carries `scope`.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.has(scope) { Ok(()) } else { Err(Problem::forbidden(scope)) }
    }

    /// Authorises access to data of the customer `owner`.
    ///
    /// The token needs the scope `all`, or `scope` with `owner` as its subject. Otherwise 403: `insufficient_scope`
    /// without the scope, `not_yours` for another customer's data.
    pub fn require_own(&self, scope: Scope, owner: &str, all: Scope) -> Result<(), Problem> {
        if self.has(all) {
            return Ok(());
        }
        self.require(scope)?;
        if self.subject == owner {
            return Ok(());
        }
        Err(Problem::new(
            axum::http::StatusCode::FORBIDDEN,
            "not_yours",
            "The token does not allow this",
        )
        .detail(format!("This belongs to another customer. Access needs the scope `{all}`.")))
    }
}

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
