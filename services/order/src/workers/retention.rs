//! Deletes old idempotency keys, received webhooks, and the log of sent ones. Orders are kept.

use std::{convert::Infallible, time::Duration};

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::storage::{webhook_deliveries, webhooks};

const SWEEP_INTERVAL: Duration = Duration::from_hours(1);

/// A repeated request or webhook gets the same response for this long, and a sent webhook can be sent again.
const RETENTION_DAYS: i32 = 7;

/// The rows that a statement deletes.
const BATCH_SIZE: i64 = 10_000;

/// Deletes old rows at each interval, until `stop`.
pub(crate) async fn run(pool: PgPool, stop: CancellationToken) -> Result<(), Infallible> {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match sweep(&pool).await {
            Ok(deleted) => {
                tracing::debug!(deleted, "deleted old idempotency keys and webhooks");
            }
            Err(error) => tracing::warn!(
                error = problem::chain(&error),
                "failed to delete old idempotency keys and webhooks"
            ),
        }
    }
    Ok(())
}

async fn sweep(pool: &PgPool) -> Result<u64, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let requests = idempotency::delete_expired(&mut connection, RETENTION_DAYS).await?;
    let events = webhooks::delete_older_than(&mut connection, RETENTION_DAYS).await?;
    let mut deleted = requests + events;
    loop {
        let deliveries =
            webhook_deliveries::delete_older_than(&mut connection, RETENTION_DAYS, BATCH_SIZE)
                .await?;
        let messages = webhook_deliveries::delete_messages_older_than(
            &mut connection,
            RETENTION_DAYS,
            BATCH_SIZE,
        )
        .await?;
        deleted += deliveries + messages;
        if deliveries + messages == 0 {
            return Ok(deleted);
        }
    }
}
