//! Signs a member of staff in.

use std::{net::IpAddr, time::Duration};

use runtime::{auth::TokenError, clock};
use sqlx::Connection as _;
use uuid::Uuid;

use super::staff::{Staff, StaffTokens, renewal_expiry};
use crate::{
    domain::{Email, Session},
    passwords::PasswordError,
    storage::{
        actions::{self, NewAction},
        sessions, staff,
    },
};

/// What a member of staff knows and has.
pub(crate) struct Credentials {
    pub(crate) email: Email,
    pub(crate) password: String,
    /// The code of the second factor.
    pub(crate) code: Option<String>,
}

/// Why a sign-in fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    #[error("too many sign-ins; the next one is allowed after {0:?}")]
    Throttled(Duration),
    /// It does not tell which of them is wrong.
    #[error("the account, the password or the code is wrong")]
    Wrong,
    #[error("the account has a second factor")]
    CodeRequired,
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the password could not be verified")]
    Password(#[from] PasswordError),
    #[error("the tokens could not be issued")]
    Token(#[from] TokenError),
}

/// Verifies the credentials and begins a session. Both outcomes are recorded.
pub(crate) async fn sign_in(
    state: &Staff,
    credentials: Credentials,
    address: Option<IpAddr>,
) -> Result<StaffTokens, SignInError> {
    let Credentials { email, password, code } = credentials;
    state.admit(&email, address).map_err(SignInError::Throttled)?;
    // No connection is held while the password is hashed.
    let found = {
        let mut connection = state.pool().acquire().await?;
        staff::find_by_email(&mut connection, &email).await?
    };
    let known = found.as_ref().map(|account| account.id);
    let account = found.filter(|account| account.disabled_at.is_none());
    let hash = account.as_ref().map(|account| account.password_hash.as_str());
    let is_right = state.passwords().verify(password, hash).await?;
    let Some(account) = account.filter(|_| is_right) else {
        return Err(refused(state, known, "password", address).await?);
    };

    let now = clock::now();
    let mut connection = state.pool().acquire().await?;
    let mut tx = connection.begin().await?;
    if let Some(secret) = &account.totp {
        let Some(code) = code else { return Err(SignInError::CodeRequired) };
        let used = staff::totp_step(&mut tx, account.id).await?;
        let step = secret.step_of_code(&code, used, now);
        let is_first = match step {
            Some(step) => staff::use_totp_step(&mut tx, account.id, step).await?,
            None => false,
        };
        if !is_first {
            tx.rollback().await?;
            drop(connection);
            return Err(refused(state, known, "code", address).await?);
        }
    }
    let (id, expires_at) = (Uuid::now_v7(), renewal_expiry(now, now));
    let session = Session { generation: 0, rotated_at: now, expires_at, has_ended: false };
    sessions::insert(&mut tx, id, Some(account.id), &session).await?;
    let subject = account.subject();
    let action = NewAction {
        subject: Some(&subject),
        action: "sign_in",
        address: address.map(|address| address.to_string()),
        ..NewAction::default()
    };
    actions::insert(&mut tx, &action, now).await?;
    tx.commit().await?;
    Ok(state.issue(&account, id, 0, expires_at, now)?)
}

/// Records a sign-in that failed. `known` is the account with this e-mail address, and `wrong` what was wrong.
async fn refused(
    state: &Staff,
    known: Option<Uuid>,
    wrong: &'static str,
    address: Option<IpAddr>,
) -> Result<SignInError, sqlx::Error> {
    let mut connection = state.pool().acquire().await?;
    let action = NewAction {
        action: "sign_in_failed",
        // The address of an unknown account may be a mistyped password.
        target: known,
        detail: Some(wrong),
        address: address.map(|address| address.to_string()),
        ..NewAction::default()
    };
    actions::insert(&mut connection, &action, clock::now()).await?;
    Ok(SignInError::Wrong)
}
