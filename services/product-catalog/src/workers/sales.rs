//! Starts and ends sales when their time has come.

use std::{convert::Infallible, time::Duration};

use messaging::{Criticality, Outbox};
use runtime::clock;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{self, WriteProductsError},
    storage::products,
};

/// The interval of queries for sales that another process has planned, unless this one is alone and rests.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Runs until `stop`; finishes the current batch.
pub(crate) async fn run(outbox: Outbox, stop: CancellationToken) -> Result<(), Infallible> {
    while !stop.is_cancelled() {
        let next = match next_change(&outbox).await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(error = problem::chain(&error), "failed to look for sales");
                None
            }
        };
        // Prices do not change here before the events can tell others.
        let is_due = next == Some(Duration::ZERO) && outbox.admit(Criticality::Deferrable).is_ok();
        let changed = if is_due { change_prices(&outbox).await } else { Ok(0) };
        match changed {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(error = problem::chain(&error), "failed to change prices");
            }
        }
        // A change that is due and was not made, because another process locks the product, waits for the next look.
        let until_next = next.filter(|wait| !wait.is_zero()).unwrap_or(Duration::MAX);
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(until_next) => {}
            () = outbox.pause(POLL_INTERVAL) => {}
        }
    }
    Ok(())
}

/// The time until the next sale starts or ends; zero if that time has passed.
async fn next_change(outbox: &Outbox) -> Result<Option<Duration>, sqlx::Error> {
    let next = products::next_price_change(&mut *outbox.pool().acquire().await?).await?;
    Ok(next.map(|next| (next - clock::now()).to_std().unwrap_or_default()))
}

async fn change_prices(outbox: &Outbox) -> Result<usize, WriteProductsError> {
    let mut tx = outbox.begin().await?;
    let changed = app::change_prices(&mut tx).await?;
    tx.commit().await?;
    let count = u64::try_from(changed).unwrap_or_default();
    metrics::counter!("catalog_price_changes_total").increment(count);
    Ok(changed)
}
