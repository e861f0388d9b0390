//! Authorisation of the operations routes.

use axum::{
    extract::{FromRef as _, FromRequestParts},
    http::{StatusCode, request::Parts},
};
use problem::Problem;
use runtime::auth::{Caller, Scope, Verifier};

use crate::state::AppState;

/// A caller whose token has the scope `ops`.
pub(crate) struct Operator;

impl FromRequestParts<AppState> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Operator, Problem> {
        let Some(verifier) = Option::<Verifier>::from_ref(state) else {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "tokens_off",
                "Tokens cannot be verified",
            )
            .detail("The console was started without TOKEN_KEY_FILE or TOKEN_PUBLIC_KEY_FILE."));
        };
        let caller = <Caller as FromRequestParts<Verifier>>::from_request_parts(parts, &verifier);
        caller.await?.require(Scope::Ops)?;
        Ok(Operator)
    }
}
