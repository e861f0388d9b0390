//! Starts and ends sales when their time has come.

use std::{convert::Infallible, time::Duration};

use messaging::{Criticality, Outbox};
use tokio_util::sync::CancellationToken;

use crate::app::{self, WriteProductsError};

/// The longest delay of a start or an end.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Runs until `stop`; finishes the current batch.
pub(crate) async fn run(outbox: Outbox, stop: CancellationToken) -> Result<(), Infallible> {
    while !stop.is_cancelled() {
        // Prices do not change here before the events can tell others.
        let admitted = outbox.admit(Criticality::Deferrable).is_ok();
        let changed = if admitted { change_prices(&outbox).await } else { Ok(0) };
        match changed {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(error = problem::chain(&error), "failed to change prices");
            }
        }
        let _ = stop.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await;
    }
    Ok(())
}

async fn change_prices(outbox: &Outbox) -> Result<usize, WriteProductsError> {
    let mut tx = outbox.begin().await?;
    let changed = app::change_prices(&mut tx).await?;
    tx.commit().await?;
    let count = u64::try_from(changed).unwrap_or_default();
    metrics::counter!("catalog_price_changes_total").increment(count);
    Ok(changed)
}
