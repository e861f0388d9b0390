//! Enrols and removes the second factor.

use runtime::clock;
use sqlx::Connection as _;

use super::staff::Staff;
use crate::{
    domain::{Account, TotpSecret},
    storage::{
        actions::{self, NewAction},
        staff,
    },
};

/// Why a second factor is not confirmed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfirmTotpError {
    #[error("no secret waits for its first code")]
    NotEnrolled,
    #[error("the code is wrong")]
    Wrong,
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Makes a secret, which counts once its first code is confirmed.
pub(crate) async fn enrol_totp(
    state: &Staff,
    account: &Account,
) -> Result<TotpSecret, sqlx::Error> {
    let secret = TotpSecret::new(rand::random());
    let mut connection = state.pool().acquire().await?;
    staff::set_pending_totp(&mut connection, account.id, &secret).await?;
    Ok(secret)
}

/// Requires codes of the new secret from now on.
pub(crate) async fn confirm_totp(
    state: &Staff,
    account: &Account,
    code: &str,
) -> Result<(), ConfirmTotpError> {
    let now = clock::now();
    let mut connection = state.pool().acquire().await?;
    let mut tx = connection.begin().await?;
    let secret = staff::pending_totp(&mut tx, account.id).await?;
    let secret = secret.ok_or(ConfirmTotpError::NotEnrolled)?;
    let step = secret.step_of_code(code, 0, now).ok_or(ConfirmTotpError::Wrong)?;
    staff::confirm_totp(&mut tx, account.id, step).await?;
    let subject = account.subject();
    let action = NewAction {
        subject: Some(&subject),
        action: "totp_enrolled",
        target: Some(account.id),
        ..NewAction::default()
    };
    actions::insert(&mut tx, &action, now).await?;
    Ok(tx.commit().await?)
}

/// Removes the second factor if `code` is right; false if it is wrong, or there is none.
pub(crate) async fn remove_totp(
    state: &Staff,
    account: &Account,
    code: &str,
) -> Result<bool, sqlx::Error> {
    let now = clock::now();
    let mut connection = state.pool().acquire().await?;
    let mut tx = connection.begin().await?;
    let used = staff::totp_step(&mut tx, account.id).await?;
    let step = account.totp.as_ref().and_then(|secret| secret.step_of_code(code, used, now));
    if step.is_none() {
        return Ok(false);
    }
    staff::remove_totp(&mut tx, account.id).await?;
    let subject = account.subject();
    let action = NewAction {
        subject: Some(&subject),
        action: "totp_removed",
        target: Some(account.id),
        ..NewAction::default()
    };
    actions::insert(&mut tx, &action, now).await?;
    tx.commit().await?;
    Ok(true)
}
