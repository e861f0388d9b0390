//! Deleting what has grown old, so that tables stay bounded.

use std::{convert::Infallible, time::Duration};

use chrono::TimeDelta;
use runtime::{Lifecycle, clock};
use sqlx::PgPool;

use crate::storage::{baskets, user_events};

/// How often to look.
const EVERY: Duration = Duration::from_hours(1);

/// How many events one statement deletes at most: short enough to hold nobody up.
const AT_ONCE: i64 = 5_000;

/// Deletes, once an hour, what is older than `days` days.
pub(crate) fn start(lifecycle: &Lifecycle, pool: PgPool, days: u16) {
    let stopping = lifecycle.soft();
    lifecycle.spawn("housekeeping", async move {
        let mut ticks = tokio::time::interval(EVERY);
        while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
            match stopping.run_until_cancelled(expire(&pool, days)).await {
                None => break,
                Some(Ok(expired)) => tracing::debug!(expired, "old events are deleted"),
                Some(Err(error)) => {
                    tracing::warn!(error = problem::chain(&error), "old events were not deleted");
                }
            }
        }
        Ok::<(), Infallible>(())
    });
}

async fn expire(pool: &PgPool, days: u16) -> Result<i64, sqlx::Error> {
    let before = clock::now() - TimeDelta::days(i64::from(days));
    let mut connection = pool.acquire().await?;
    baskets::expire(&mut connection, before).await?;
    let mut expired = 0;
    loop {
        let gone = user_events::expire(&mut connection, before, AT_ONCE).await?;
        expired += gone;
        if gone < AT_ONCE {
            return Ok(expired);
        }
    }
}
