//! Asks the payment provider for refunds. Several instances may run side by side: each claims what it asks for.

use std::{convert::Infallible, time::Duration};

use chrono::{DateTime, Utc};
use futures::future::join_all;
use messaging::{Error, Outbox};
use runtime::clock;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{
        order_process::OrderProcess, payment_provider::PaymentProvider,
        record_refund::record_refund,
    },
    storage::refunds::{self, ClaimedRefund},
};

/// The refunds that this process asks for at once.
const BATCH_SIZE: i64 = 8;

/// How long a claim lasts: longer than a request with its record, even if the database is slow.
const CLAIM: Duration = Duration::from_mins(2);

/// The longest sleep, unless the process rests. What another instance writes or releases is found after it.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The pause after a database error.
const RETRY_DELAY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct RefundWorker {
    outbox: Outbox,
    process: OrderProcess,
    provider: PaymentProvider,
}

impl RefundWorker {
    pub(crate) fn new(outbox: Outbox, process: OrderProcess, provider: PaymentProvider) -> Self {
        Self { outbox, process, provider }
    }

    /// Asks for what is due, until `stop`. A request that is under way is finished.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), Infallible> {
        while !stop.is_cancelled() {
            match self.work().await {
                Ok(next) => {
                    stop.run_until_cancelled(self.wait(next)).await;
                }
                Err(error) => {
                    tracing::warn!(
                        error = problem::chain(&error),
                        "failed to ask for refunds; retrying"
                    );
                    stop.run_until_cancelled(tokio::time::sleep(RETRY_DELAY)).await;
                }
            }
        }
        Ok(())
    }

    /// Asks for the refunds that are due; returns when the next one is.
    async fn work(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let claimed = {
            let mut connection = self.outbox.pool().acquire().await?;
            let now = clock::now();
            let claimed = refunds::claim(&mut connection, now, now + CLAIM, BATCH_SIZE).await?;
            if claimed.is_empty() {
                return Ok(refunds::next_due(&mut connection).await?);
            }
            claimed
        };
        for result in join_all(claimed.into_iter().map(|refund| self.ask(refund))).await {
            result?;
        }
        Ok(Some(clock::now()))
    }

    async fn ask(&self, refund: ClaimedRefund) -> Result<(), Error> {
        let answer = self.provider.refund(&refund.request).await;
        let mut tx = self.outbox.begin().await?;
        record_refund(&mut tx, &self.process, refund, answer).await?;
        tx.commit().await
    }

    /// Returns when there may be something to do.
    async fn wait(&self, next: Option<DateTime<Utc>>) {
        let pause = next.map(|next| (next - clock::now()).to_std().unwrap_or_default());
        tokio::select! {
            () = self.process.refund_waker().woken() => {}
            () = tokio::time::sleep(pause.unwrap_or(Duration::MAX)) => {}
            () = self.outbox.pause(POLL_INTERVAL) => {}
        }
    }
}
