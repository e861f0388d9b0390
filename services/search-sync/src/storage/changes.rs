//! The numbers of changes: given out under one lock that is held until the commit.

use sqlx::PgConnection;
use uuid::Uuid;

/// Which database this is, and the last number that was given out in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbering {
    /// Tells this database from any other.
    pub source: Uuid,
    /// The last number.
    pub last: i64,
}

/// The numbering as it was committed last.
pub async fn read(connection: &mut PgConnection) -> Result<Numbering, sqlx::Error> {
    sqlx::query_as!(Numbering, "select source, last from index_change").fetch_one(connection).await
}

/// Takes the lock and answers the last number.
pub async fn lock(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("select last from index_change for update").fetch_one(connection).await
}

/// Takes the lock and the next `count` numbers; answers the one before them.
pub async fn reserve(connection: &mut PgConnection, count: usize) -> Result<i64, sqlx::Error> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let last =
        sqlx::query_scalar!("update index_change set last = last + $1 returning last", count)
            .fetch_one(connection)
            .await?;
    Ok(last - count)
}
