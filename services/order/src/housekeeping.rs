//! Forgetting what nobody comes back for, so that tables stay bounded. Orders are kept.

use std::{convert::Infallible, time::Duration};

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::storage::webhooks;

/// How often to look.
const EVERY: Duration = Duration::from_hours(1);

/// How many days a client or a provider may take to send the same thing again and be answered the same.
const REMEMBERED_DAYS: i32 = 7;

/// Forgets, once an hour until `stop`, idempotency keys and callbacks that are old.
pub(crate) async fn run(pool: PgPool, stop: CancellationToken) -> Result<(), Infallible> {
    let mut ticks = tokio::time::interval(EVERY);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match forget(&pool).await {
            Ok(forgotten) => tracing::debug!(forgotten, "old keys are forgotten"),
            Err(error) => {
                tracing::warn!(error = problem::chain(&error), "old keys could not be forgotten");
            }
        }
    }
    Ok(())
}

async fn forget(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let requests = idempotency::forget(&mut connection, REMEMBERED_DAYS).await?;
    let callbacks = webhooks::forget(&mut connection, REMEMBERED_DAYS).await?;
    Ok(requests + callbacks)
}
