//! What staff did.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Something that a member of staff did.
#[derive(Debug, Default)]
pub(crate) struct NewAction<'a> {
    pub(crate) subject: Option<&'a str>,
    pub(crate) action: &'a str,
    pub(crate) method: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    pub(crate) status: Option<i16>,
    pub(crate) target: Option<Uuid>,
    pub(crate) detail: Option<&'a str>,
    pub(crate) address: Option<String>,
}

/// An action as it is stored.
#[derive(Debug)]
pub(crate) struct StoredAction {
    pub(crate) id: Uuid,
    pub(crate) at: DateTime<Utc>,
    pub(crate) subject: Option<String>,
    /// Of the subject, if it is an account.
    pub(crate) email: Option<String>,
    pub(crate) action: String,
    pub(crate) method: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) status: Option<i16>,
    pub(crate) target: Option<Uuid>,
    pub(crate) target_email: Option<String>,
    pub(crate) detail: Option<String>,
    pub(crate) address: Option<String>,
}

/// Inserts an action, unless its subject is an account that is disabled. Returns its id.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    new: &NewAction<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "insert into staff_action (id, at, subject, action, method, path, status, target, detail, address) \
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 \
         where not exists (select from staff where 'staff:' || id = $3 and disabled_at is not null) \
         returning id",
        Uuid::now_v7(),
        now,
        new.subject,
        new.action,
        new.method,
        new.path,
        new.status,
        new.target,
        new.detail,
        new.address,
    )
    .fetch_optional(connection)
    .await
}

/// Records the status of the answer.
pub(crate) async fn set_status(
    connection: &mut PgConnection,
    id: Uuid,
    status: i16,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update staff_action set status = $2 where id = $1", id, status)
        .execute(connection)
        .await?;
    Ok(())
}

/// The first `limit` actions before `before`, the newest first; of `subject` alone if it is given.
pub(crate) async fn list(
    connection: &mut PgConnection,
    subject: Option<&str>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<StoredAction>, sqlx::Error> {
    sqlx::query_as!(
        StoredAction,
        r#"select a.id, a.at, a.subject, s.email as "email?", a.action, a.method, a.path, a.status, a.target,
               t.email as "target_email?", a.detail, a.address
           from staff_action a
           left join staff s on a.subject = 'staff:' || s.id
           left join staff t on t.id = a.target
           where ($1::text is null or a.subject = $1) and ($2::uuid is null or a.id < $2)
           order by a.id desc
           limit $3"#,
        subject,
        before,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Deletes actions before `before`.
pub(crate) async fn delete_before(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let deleted =
        sqlx::query!("delete from staff_action where at < $1", before).execute(connection).await?;
    Ok(deleted.rows_affected())
}
