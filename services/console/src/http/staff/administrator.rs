//! Authorisation of routes about all accounts.

use axum::{
    extract::{FromRef as _, FromRequestParts},
    http::request::Parts,
};
use problem::Problem;
use runtime::auth::{Caller, Scope, Verifier};

use super::state_of;
use crate::{
    app::Staff, domain::Account, http::operator::tokens_off, state::AppState, storage::staff,
};

/// A caller whose token has the scope `staff:admin`, and whose account may still use it.
pub(super) struct Administrator {
    pub(super) subject: String,
    pub(super) state: Staff,
}

impl FromRequestParts<AppState> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Administrator, Problem> {
        let verifier = Option::<Verifier>::from_ref(state).ok_or_else(tokens_off)?;
        let caller = <Caller as FromRequestParts<Verifier>>::from_request_parts(parts, &verifier);
        let caller = caller.await?;
        caller.require(Scope::StaffAdmin)?;
        let state = state_of(Option::<Staff>::from_ref(state))?;
        // The token may be older than a change of the account. Tokens of the command line and of another issuer have none.
        if let Some(id) = Account::id_of(caller.subject()) {
            let mut connection = state.pool().acquire().await?;
            let account = staff::find(&mut connection, id).await?;
            let account = account.filter(|account| account.disabled_at.is_none());
            let account =
                account.ok_or_else(|| Problem::unauthorized("The account is disabled."))?;
            if !account.role.scopes().contains(&Scope::StaffAdmin) {
                return Err(Problem::forbidden(Scope::StaffAdmin));
            }
        }
        Ok(Administrator { subject: caller.subject().to_owned(), state })
    }
}
