//! Deletes old idempotency keys, so that their table stays bounded.

use std::{convert::Infallible, time::Duration};

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

const SWEEP_INTERVAL: Duration = Duration::from_hours(1);

/// Days in which a client may repeat a request with the same key.
const RETENTION_DAYS: i32 = 7;

/// Runs until `stop`.
pub(crate) async fn run(database: PgPool, stop: CancellationToken) -> Result<(), Infallible> {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Err(error) = delete_old_keys(&database).await {
            tracing::warn!(error = problem::chain(&error), "failed to delete old idempotency keys");
        }
    }
    Ok(())
}

async fn delete_old_keys(database: &PgPool) -> Result<u64, sqlx::Error> {
    let mut connection = database.acquire().await?;
    idempotency::delete_expired(&mut connection, RETENTION_DAYS).await
}
