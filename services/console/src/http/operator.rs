//! Authorisation of the operations routes.

use axum::{
    extract::{FromRef as _, FromRequestParts},
    http::{StatusCode, header::AUTHORIZATION, request::Parts},
};
use problem::Problem;
use runtime::auth::{Caller, Scope, Verifier};

use crate::state::AppState;

/// A caller whose token has the scope `ops`.
pub(crate) struct Operator {
    token: String,
}

impl Operator {
    /// The token, for requests to the services: the console can do nothing that its caller could not.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }
}

impl FromRequestParts<AppState> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Operator, Problem> {
        let Some(verifier) = Option::<Verifier>::from_ref(state) else {
            return Err(tokens_off());
        };
        let caller = <Caller as FromRequestParts<Verifier>>::from_request_parts(parts, &verifier);
        caller.await?.require(Scope::Ops)?;
        // The extractor above has checked the form.
        let header = parts.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let token = header.and_then(|header| header.split_once(' ')).map(|(_, token)| token);
        Ok(Operator { token: token.unwrap_or_default().trim().to_owned() })
    }
}

/// 503: the console has no key.
pub(super) fn tokens_off() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "tokens_off", "Tokens cannot be verified")
        .detail("The console was started without TOKEN_KEY_FILE or TOKEN_PUBLIC_KEY_FILE.")
}
