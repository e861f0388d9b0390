//! Deletes expired sessions and old actions, so that their tables stay bounded.

use std::{convert::Infallible, time::Duration};

use chrono::TimeDelta;
use runtime::clock;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::storage::{actions, sessions};

const SWEEP_INTERVAL: Duration = Duration::from_hours(1);

/// For how long it is kept what staff did: a year.
const ACTIONS_KEPT: TimeDelta = TimeDelta::days(366);

/// Runs until `stop`.
pub(crate) async fn run(pool: PgPool, stop: CancellationToken) -> Result<(), Infallible> {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Err(error) = sweep(&pool).await {
            tracing::warn!(error = problem::chain(&error), "failed to delete old sessions");
        }
    }
    Ok(())
}

async fn sweep(pool: &PgPool) -> Result<(), sqlx::Error> {
    let now = clock::now();
    let mut connection = pool.acquire().await?;
    sessions::delete_expired(&mut connection, now).await?;
    actions::delete_before(&mut connection, now - ACTIONS_KEPT).await?;
    Ok(())
}
