//! The counter that numbers changes. Its row lock is held until the commit.

use sqlx::PgConnection;

use crate::domain::ChangeCounter;

/// The committed counter.
pub(crate) async fn read(connection: &mut PgConnection) -> Result<ChangeCounter, sqlx::Error> {
    let row = sqlx::query!("select source, last from index_change").fetch_one(connection).await?;
    Ok(ChangeCounter { source: row.source, last: row.last })
}

/// Locks the counter and returns the last number.
pub async fn lock(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("select last from index_change for update").fetch_one(connection).await
}

/// Locks the counter and reserves the next `count` numbers; returns the number before them.
pub(crate) async fn reserve(
    connection: &mut PgConnection,
    count: usize,
) -> Result<i64, sqlx::Error> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let last =
        sqlx::query_scalar!("update index_change set last = last + $1 returning last", count)
            .fetch_one(connection)
            .await?;
    Ok(last - count)
}
