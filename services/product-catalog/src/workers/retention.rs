//! Deletes old rows, so that tables stay bounded.

use std::{convert::Infallible, time::Duration};

use chrono::TimeDelta;
use runtime::clock;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::storage::{changes, imports, receipts};

const SWEEP_INTERVAL: Duration = Duration::from_hours(1);

/// Deletes rows older than `days` days, until `stop`.
pub(crate) async fn run(
    pool: PgPool,
    days: u16,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match delete_old_rows(&pool, days).await {
            Ok(deleted) => tracing::debug!(deleted, "deleted old rows"),
            Err(error) => {
                tracing::warn!(error = problem::chain(&error), "failed to delete old rows");
            }
        }
    }
    Ok(())
}

async fn delete_old_rows(pool: &PgPool, days: u16) -> Result<u64, sqlx::Error> {
    let time = clock::now() - TimeDelta::days(i64::from(days));
    let mut connection = pool.acquire().await?;
    let changes = changes::delete_before(&mut connection, time).await?;
    let receipts = receipts::delete_superseded(&mut connection, time).await?;
    let imports = imports::delete_before(&mut connection, time).await?;
    let requests = idempotency::delete_expired(&mut connection, i32::from(days)).await?;
    Ok(changes + receipts + imports + requests)
}
