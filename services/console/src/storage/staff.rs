//! Staff accounts.

use chrono::{DateTime, Utc};
use runtime::auth::Role;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{Account, Email, TotpSecret};

/// The constraint that keeps e-mail addresses unique.
pub(crate) const EMAIL_KEY: &str = "staff_email_key";

/// An account as it is stored.
struct Row {
    id: Uuid,
    email: String,
    role: String,
    password_hash: String,
    totp_secret: Option<Vec<u8>>,
    created_at: DateTime<Utc>,
    disabled_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for Account {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Account, sqlx::Error> {
        let role = row.role.parse::<Role>();
        Ok(Account {
            id: row.id,
            email: row.email,
            role: role.map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            password_hash: row.password_hash,
            totp: row.totp_secret.map(TotpSecret::from_bytes),
            created_at: row.created_at,
            disabled_at: row.disabled_at,
        })
    }
}

/// Inserts an account.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    account: &Account,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into staff (id, email, role, password_hash, created_at) values ($1, $2, $3, $4, $5)",
        account.id,
        account.email,
        account.role.as_str(),
        account.password_hash,
        account.created_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The account with this address.
pub(crate) async fn find_by_email(
    connection: &mut PgConnection,
    email: &Email,
) -> Result<Option<Account>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "select id, email, role, password_hash, totp_secret, created_at, disabled_at from staff where email = $1",
        email.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    row.map(Account::try_from).transpose()
}

/// The account with this id.
pub(crate) async fn find(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<Option<Account>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "select id, email, role, password_hash, totp_secret, created_at, disabled_at from staff where id = $1",
        id,
    )
    .fetch_optional(connection)
    .await?;
    row.map(Account::try_from).transpose()
}

/// All accounts, the oldest first, at most `limit`.
pub(crate) async fn list(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<Account>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "select id, email, role, password_hash, totp_secret, created_at, disabled_at from staff \
         order by created_at, id limit $1",
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Account::try_from).collect()
}

/// Locks all owners that are not disabled, so that one of them is left. Returns their ids.
pub(crate) async fn lock_owners(connection: &mut PgConnection) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id from staff where role = 'owner' and disabled_at is null order by id for update"
    )
    .fetch_all(connection)
    .await
}

/// Changes role and state of an account.
pub(crate) async fn update(
    connection: &mut PgConnection,
    id: Uuid,
    role: Role,
    disabled_at: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update staff set role = $2, disabled_at = $3 where id = $1",
        id,
        role.as_str(),
        disabled_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Replaces the hash of the password.
pub(crate) async fn set_password(
    connection: &mut PgConnection,
    id: Uuid,
    hash: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update staff set password_hash = $2 where id = $1", id, hash)
        .execute(connection)
        .await?;
    Ok(())
}

/// Stores a secret whose first code has not been seen.
pub(crate) async fn set_pending_totp(
    connection: &mut PgConnection,
    id: Uuid,
    secret: &TotpSecret,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update staff set totp_pending = $2 where id = $1", id, secret.as_bytes())
        .execute(connection)
        .await?;
    Ok(())
}

/// The secret whose first code has not been seen.
pub(crate) async fn pending_totp(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<Option<TotpSecret>, sqlx::Error> {
    let secret = sqlx::query_scalar!("select totp_pending from staff where id = $1", id)
        .fetch_optional(connection)
        .await?;
    Ok(secret.flatten().map(TotpSecret::from_bytes))
}

/// Requires the pending secret from now on. `step` is that of its first code.
pub(crate) async fn confirm_totp(
    connection: &mut PgConnection,
    id: Uuid,
    step: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update staff set totp_secret = totp_pending, totp_pending = null, totp_step = $2 \
         where id = $1 and totp_pending is not null",
        id,
        step,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes the second factor.
pub(crate) async fn remove_totp(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update staff set totp_secret = null, totp_pending = null where id = $1", id)
        .execute(connection)
        .await?;
    Ok(())
}

/// The time step of the last code of an account.
pub(crate) async fn totp_step(connection: &mut PgConnection, id: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("select totp_step from staff where id = $1", id).fetch_one(connection).await
}

/// Records that the code of `step` was used; false if it or a later one was.
pub(crate) async fn use_totp_step(
    connection: &mut PgConnection,
    id: Uuid,
    step: i64,
) -> Result<bool, sqlx::Error> {
    let updated =
        sqlx::query!("update staff set totp_step = $2 where id = $1 and totp_step < $2", id, step)
            .execute(connection)
            .await?;
    Ok(updated.rows_affected() == 1)
}
