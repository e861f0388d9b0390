//! Changes staff accounts.

use runtime::{auth::Role, clock};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::staff::Staff;
use crate::{
    domain::{Account, Password},
    passwords::PasswordError,
    storage::{
        actions::{self, NewAction},
        sessions, staff,
    },
};

/// What to change; `None` leaves it as it is.
#[derive(Debug, Default)]
pub(crate) struct AccountChange {
    pub(crate) role: Option<Role>,
    pub(crate) is_disabled: Option<bool>,
    /// Remove the second factor: its owner has lost it.
    pub(crate) removes_totp: bool,
    pub(crate) password_hash: Option<String>,
}

/// Why an account is not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeAccountError {
    #[error("the account does not exist")]
    Unknown,
    #[error("no other owner would be left")]
    LastOwner,
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Changes an account and ends its sessions, so that its next access token follows the change. `by` is the subject of the caller.
pub(crate) async fn change_account(
    tx: &mut PgConnection,
    id: Uuid,
    change: &AccountChange,
    by: &str,
) -> Result<Account, ChangeAccountError> {
    let owners = staff::lock_owners(tx).await?;
    let mut account = staff::find(tx, id).await?.ok_or(ChangeAccountError::Unknown)?;
    let now = clock::now();
    let mut done = Vec::new();
    if let Some(role) = change.role.filter(|role| *role != account.role) {
        account.role = role;
        done.push(("staff_role_changed", Some(role.as_str())));
    }
    if let Some(is_disabled) = change.is_disabled
        && is_disabled != account.disabled_at.is_some()
    {
        account.disabled_at = is_disabled.then_some(now);
        done.push((if is_disabled { "staff_disabled" } else { "staff_enabled" }, None));
    }
    let is_owner = account.role == Role::Owner && account.disabled_at.is_none();
    if owners == [id] && !is_owner {
        return Err(ChangeAccountError::LastOwner);
    }
    staff::update(tx, id, account.role, account.disabled_at).await?;
    if change.removes_totp && account.totp.take().is_some() {
        staff::remove_totp(tx, id).await?;
        done.push(("totp_removed", None));
    }
    if let Some(hash) = &change.password_hash {
        staff::set_password(tx, id, hash).await?;
        done.push(("password_reset", None));
    }
    if !done.is_empty() {
        sessions::end_all(tx, id, None, "revoked").await?;
    }
    for (action, detail) in done {
        let action = NewAction {
            subject: Some(by),
            action,
            target: Some(id),
            detail,
            ..NewAction::default()
        };
        actions::insert(tx, &action, now).await?;
    }
    Ok(account)
}

/// Ends all sessions of an account; false if it does not exist. `by` is the subject of the caller.
pub(crate) async fn revoke_sessions(
    tx: &mut PgConnection,
    id: Uuid,
    by: &str,
) -> Result<bool, sqlx::Error> {
    if staff::find(tx, id).await?.is_none() {
        return Ok(false);
    }
    sessions::end_all(tx, id, None, "revoked").await?;
    let action = NewAction {
        subject: Some(by),
        action: "sessions_revoked",
        target: Some(id),
        ..NewAction::default()
    };
    actions::insert(tx, &action, clock::now()).await?;
    Ok(true)
}

/// Why a password is not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangePasswordError {
    #[error("the current password is wrong")]
    Wrong,
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the password could not be hashed")]
    Password(#[from] PasswordError),
}

/// Changes the own password, and ends all other sessions: `kept` is the one that continues.
pub(crate) async fn change_password(
    state: &Staff,
    account: &Account,
    current: String,
    new: Password,
    kept: Option<Uuid>,
) -> Result<(), ChangePasswordError> {
    let passwords = state.passwords();
    if !passwords.verify(current, Some(&account.password_hash)).await? {
        return Err(ChangePasswordError::Wrong);
    }
    let hash = passwords.hash(new.expose().to_owned()).await?;
    let mut connection = state.pool().acquire().await?;
    let mut tx = connection.begin().await?;
    staff::set_password(&mut tx, account.id, &hash).await?;
    sessions::end_all(&mut tx, account.id, kept, "revoked").await?;
    let subject = account.subject();
    let action = NewAction {
        subject: Some(&subject),
        action: "password_changed",
        target: Some(account.id),
        ..NewAction::default()
    };
    actions::insert(&mut tx, &action, clock::now()).await?;
    Ok(tx.commit().await?)
}
