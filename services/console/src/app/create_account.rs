//! Creates a staff account.

use runtime::{auth::Role, clock};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{Account, Email},
    storage::{
        actions::{self, NewAction},
        staff,
    },
};

/// A new account, with the hash of its password.
pub(crate) struct NewAccount {
    pub(crate) email: Email,
    pub(crate) role: Role,
    pub(crate) password_hash: String,
}

/// Why an account is not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateAccountError {
    #[error("another account has this e-mail address")]
    EmailTaken,
    #[error("the account could not be stored")]
    Database(#[from] sqlx::Error),
}

/// Creates an account. `by` is the subject of the caller.
pub(crate) async fn create_account(
    tx: &mut PgConnection,
    new: NewAccount,
    by: &str,
) -> Result<Account, CreateAccountError> {
    let now = clock::now();
    let account = Account {
        id: Uuid::now_v7(),
        email: new.email.as_str().to_owned(),
        role: new.role,
        password_hash: new.password_hash,
        totp: None,
        created_at: now,
        disabled_at: None,
    };
    match staff::insert(tx, &account).await {
        Err(sqlx::Error::Database(error)) if error.constraint() == Some(staff::EMAIL_KEY) => {
            return Err(CreateAccountError::EmailTaken);
        }
        result => result?,
    }
    let action = NewAction {
        subject: Some(by),
        action: "staff_created",
        target: Some(account.id),
        detail: Some(account.role.as_str()),
        ..NewAction::default()
    };
    actions::insert(tx, &action, now).await?;
    Ok(account)
}
