//! Authorisation of routes about the own account.

use axum::{
    extract::{FromRef as _, FromRequestParts},
    http::{Extensions, StatusCode, request::Parts},
};
use problem::Problem;
use runtime::{
    auth::{Caller, Verifier},
    clients::Client,
};

use super::{state_of, too_many_sign_ins};
use crate::{
    app::Staff, domain::Account, http::operator::tokens_off, state::AppState, storage::staff,
};

/// A member of staff with an account of the shop.
pub(super) struct Member {
    pub(super) account: Account,
    pub(super) state: Staff,
}

impl Member {
    /// Counts a guess of the password or a code, or refuses it.
    pub(super) fn admit_guess(&self, extensions: &Extensions) -> Result<(), Problem> {
        let address = Client::of(extensions).counted_address();
        self.state.admit_account(&self.account, address).map_err(too_many_sign_ins)
    }
}

impl FromRequestParts<AppState> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Member, Problem> {
        let verifier = Option::<Verifier>::from_ref(state).ok_or_else(tokens_off)?;
        let caller = <Caller as FromRequestParts<Verifier>>::from_request_parts(parts, &verifier);
        let id = Account::id_of(caller.await?.subject()).ok_or_else(|| {
            Problem::new(StatusCode::FORBIDDEN, "no_account", "The token is of no staff account")
                .detail(
                    "Sign in with a staff account. Accounts of another issuer are managed there.",
                )
        })?;
        let state = state_of(Option::<Staff>::from_ref(state))?;
        let mut connection = state.pool().acquire().await?;
        let account = staff::find(&mut connection, id).await?;
        drop(connection);
        let account = account.filter(|account| account.disabled_at.is_none());
        let account = account.ok_or_else(|| Problem::unauthorized("The account is disabled."))?;
        Ok(Member { account, state })
    }
}
