//! Erases the addresses of erased customers. Several instances may run side by side: each skips the customers that another one
//! has locked.

use std::{convert::Infallible, time::Duration};

use messaging::{Error, Outbox};
use runtime::clock;
use tokio_util::sync::CancellationToken;
use vocabulary::CustomerId;

use crate::{app::worker_waker::WorkerWaker, storage::customer_erasures};

/// The longest sleep: orders end meanwhile, and other instances list customers.
const POLL_INTERVAL: Duration = Duration::from_mins(1);

/// The pause until the transactions have ended that were running.
const SHORT_INTERVAL: Duration = Duration::from_millis(200);

/// The most customers of a transaction.
const BATCH_SIZE: i64 = 100;

/// Erases addresses, until `stop`.
pub(crate) async fn run(
    outbox: Outbox,
    waker: WorkerWaker,
    stop: CancellationToken,
) -> Result<(), Infallible> {
    while !stop.is_cancelled() {
        let pause = match sweep(&outbox).await {
            Ok(0) => POLL_INTERVAL,
            Ok(_) => SHORT_INTERVAL,
            Err(error) => {
                tracing::warn!(
                    error = problem::chain(&error),
                    "failed to erase customers; retrying"
                );
                POLL_INTERVAL
            }
        };
        let pause = async {
            tokio::select! {
                () = waker.woken() => {}
                () = tokio::time::sleep(pause) => {}
            }
        };
        stop.run_until_cancelled(pause).await;
    }
    Ok(())
}

/// Looks once at every pending customer. Returns the number of those who only wait for running transactions.
async fn sweep(outbox: &Outbox) -> Result<i64, Error> {
    let (mut after, mut waiting): (Option<CustomerId>, i64) = (None, 0);
    loop {
        let mut tx = outbox.begin().await?;
        let customers = customer_erasures::lock_pending(&mut tx, after, BATCH_SIZE).await?;
        if customers.is_empty() {
            return Ok(waiting);
        }
        customer_erasures::erase_addresses(&mut tx, &customers).await?;
        customer_erasures::erase_messages(&mut tx, &customers).await?;
        waiting += customer_erasures::complete_without_addresses(&mut tx, &customers, clock::now())
            .await?;
        tx.commit().await?;
        after = customers.last().copied();
    }
}
