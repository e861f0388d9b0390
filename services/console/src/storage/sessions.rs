//! The newest generation of renewal tokens.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::Session;

/// Inserts a session unless it exists. A shopper's first renewal token is not stored before it is used.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    id: Uuid,
    staff: Option<Uuid>,
    session: &Session,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into session (id, staff_id, generation, rotated_at, created_at, expires_at) \
         values ($1, $2, $3, $4, $4, $5) on conflict (id) do nothing",
        id,
        staff,
        session.generation,
        session.rotated_at,
        session.expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A session of the account, or of a shopper, and when it began; locked.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    id: Uuid,
    staff: Option<Uuid>,
) -> Result<Option<(Session, DateTime<Utc>)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select generation, rotated_at, created_at, expires_at, ended_by is not null as "has_ended!"
           from session where id = $1 and staff_id is not distinct from $2 for update"#,
        id,
        staff,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| {
        let session = Session {
            generation: row.generation,
            rotated_at: row.rotated_at,
            expires_at: row.expires_at,
            has_ended: row.has_ended,
        };
        (session, row.created_at)
    }))
}

/// Stores the newest generation.
pub(crate) async fn rotate(
    connection: &mut PgConnection,
    id: Uuid,
    generation: i32,
    rotated_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update session set generation = $2, rotated_at = $3, expires_at = $4 where id = $1",
        id,
        generation,
        rotated_at,
        expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends a session, unless it has ended.
pub(crate) async fn end(
    connection: &mut PgConnection,
    id: Uuid,
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update session set ended_by = $2 where id = $1 and ended_by is null", id, by)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends all sessions of an account but `kept`.
pub(crate) async fn end_all(
    connection: &mut PgConnection,
    staff: Uuid,
    kept: Option<Uuid>,
    by: &str,
) -> Result<u64, sqlx::Error> {
    let ended = sqlx::query!(
        "update session set ended_by = $3 where staff_id = $1 and ended_by is null and id is distinct from $2",
        staff,
        kept,
        by,
    )
    .execute(connection)
    .await?;
    Ok(ended.rows_affected())
}

/// Deletes sessions whose tokens have all expired.
pub(crate) async fn delete_expired(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let deleted =
        sqlx::query!("delete from session where expires_at < $1", now).execute(connection).await?;
    Ok(deleted.rows_affected())
}
