//! Deletes expired events and baskets periodically, so that the tables stay bounded.

use std::{convert::Infallible, time::Duration};

use chrono::TimeDelta;
use runtime::clock;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::storage::{baskets, user_events};

/// How often expired rows are deleted.
const DELETE_INTERVAL: Duration = Duration::from_hours(1);

/// The most events that one statement deletes, so that it holds its locks only briefly.
const BATCH_SIZE: i64 = 5_000;

/// Deletes rows older than `retention_days` every hour until `stop`.
pub(crate) async fn run(
    pool: PgPool,
    retention_days: u16,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut ticks = tokio::time::interval(DELETE_INTERVAL);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match stop.run_until_cancelled(delete_expired(&pool, retention_days)).await {
            None => break,
            Some(Ok(events)) => tracing::debug!(events, "deleted expired events"),
            Some(Err(error)) => {
                tracing::warn!(error = problem::chain(&error), "failed to delete expired rows");
            }
        }
    }
    Ok(())
}

async fn delete_expired(pool: &PgPool, retention_days: u16) -> Result<i64, sqlx::Error> {
    let before = clock::now() - TimeDelta::days(i64::from(retention_days));
    let mut connection = pool.acquire().await?;
    baskets::delete_expired(&mut connection, before).await?;
    let mut total = 0;
    loop {
        let deleted = user_events::delete_expired(&mut connection, before, BATCH_SIZE).await?;
        total += deleted;
        if deleted < BATCH_SIZE {
            return Ok(total);
        }
    }
}
