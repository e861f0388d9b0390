//! Applies the counts of stock that arrived before the registration of their SKUs.

use std::{convert::Infallible, time::Duration};

use messaging::{Criticality, Outbox};
use tokio_util::sync::CancellationToken;

use crate::{app, domain::LowStock, storage::pending_counts};

/// The longest delay after the registration of a SKU. A registration ends the rest of the process.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Runs until `stop`; finishes the current batch.
pub(crate) async fn run(
    outbox: Outbox,
    low: LowStock,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    while !stop.is_cancelled() {
        // A changed level is published.
        let admitted = outbox.admit(Criticality::Deferrable).is_ok();
        let applied = if admitted { apply(&outbox, low).await } else { Ok(false) };
        match applied {
            Ok(false) => {}
            Ok(true) => continue,
            Err(error) => {
                tracing::warn!(error = problem::chain(&error), "failed to apply pending counts");
            }
        }
        let _ = stop.run_until_cancelled(outbox.pause(POLL_INTERVAL)).await;
    }
    Ok(())
}

/// Applies a batch; false if there was none.
async fn apply(outbox: &Outbox, low: LowStock) -> Result<bool, messaging::Error> {
    // Looking does not take the lock on the stock.
    let mut connection = outbox.pool().acquire().await?;
    if !pending_counts::any_registered(&mut connection).await? {
        return Ok(false);
    }
    drop(connection);
    let mut tx = outbox.begin().await?;
    app::apply_pending_counts(&mut tx, low).await?;
    tx.commit().await?;
    Ok(true)
}
