//! What a test reads from the database of a service.

use sqlx::PgPool;
use testkit::wait_for;

use crate::limits::LONGEST_WAIT;

/// Waits until the outbox of a database is empty.
pub async fn wait_until_published(pool: &PgPool) {
    wait_for("the outbox is empty", LONGEST_WAIT, async || {
        match count(pool, "select count(*) from messaging.outbox").await {
            0 => Ok(()),
            unpublished => Err(format!("{unpublished} events are unpublished")),
        }
    })
    .await
    .unwrap();
}

/// Runs a query that returns one number.
pub async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// Asserts the number of pending dead letters.
pub async fn assert_dead_letters(pool: &PgPool, expected: i64) {
    let pending = "select count(*) from messaging.dead_letter where state = 'pending'";
    assert_eq!(count(pool, pending).await, expected, "pending dead letters");
}
