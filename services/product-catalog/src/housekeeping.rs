//! Forgetting what nobody asks for any more, so that tables stay bounded.

use std::convert::Infallible;
use std::time::Duration;

use chrono::TimeDelta;
use runtime::clock;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::storage::{changes, imports, receipts};

/// How often to look.
const EVERY: Duration = Duration::from_hours(1);

/// Forgets, once an hour until `stop`, what is older than `days` days.
pub(crate) async fn run(
    pool: PgPool,
    days: u16,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    let mut ticks = tokio::time::interval(EVERY);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match forget(&pool, days).await {
            Ok(forgotten) => tracing::debug!(forgotten, "old rows are forgotten"),
            Err(error) => {
                tracing::warn!(error = problem::chain(&error), "old rows could not be forgotten");
            }
        }
    }
    Ok(())
}

async fn forget(pool: &PgPool, days: u16) -> Result<u64, sqlx::Error> {
    let time = clock::now() - TimeDelta::days(i64::from(days));
    let mut connection = pool.acquire().await?;
    let changes = changes::forget(&mut connection, time).await?;
    let receipts = receipts::forget(&mut connection, time).await?;
    let imports = imports::forget(&mut connection, time).await?;
    let requests = idempotency::forget(&mut connection, i32::from(days)).await?;
    Ok(changes + receipts + imports + requests)
}
