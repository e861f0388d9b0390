//! Sends requests to the payment provider. Several instances may run side by side: each claims what it sends.

use std::{convert::Infallible, time::Duration};

use chrono::{DateTime, Utc};
use futures::future::join_all;
use messaging::{Error, Outbox};
use runtime::clock;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{
        order_process::OrderProcess, payment_provider::PaymentProvider,
        record_provider_answer::record_provider_answer,
    },
    storage::provider_requests::{self, ClaimedRequest},
};

/// The requests that this process sends at once.
const BATCH_SIZE: i64 = 8;

/// How long a claim lasts: longer than a request with its record, even if the database is slow.
const CLAIM: Duration = Duration::from_mins(2);

/// The longest sleep, unless the process rests. What another instance writes or releases is found after it.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The pause after a database error.
const RETRY_DELAY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct ProviderWorker {
    outbox: Outbox,
    process: OrderProcess,
    provider: PaymentProvider,
}

impl ProviderWorker {
    pub(crate) fn new(outbox: Outbox, process: OrderProcess, provider: PaymentProvider) -> Self {
        Self { outbox, process, provider }
    }

    /// Sends what is due, until `stop`. A request that is under way is finished.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), Infallible> {
        while !stop.is_cancelled() {
            match self.work().await {
                Ok(next) => {
                    stop.run_until_cancelled(self.wait(next)).await;
                }
                Err(error) => {
                    tracing::warn!(
                        error = problem::chain(&error),
                        "failed to send requests to the payment provider; retrying"
                    );
                    stop.run_until_cancelled(tokio::time::sleep(RETRY_DELAY)).await;
                }
            }
        }
        Ok(())
    }

    /// Sends the requests that are due; returns when the next one is.
    async fn work(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let claimed = {
            let mut connection = self.outbox.pool().acquire().await?;
            let now = clock::now();
            let claimed =
                provider_requests::claim(&mut connection, now, now + CLAIM, BATCH_SIZE).await?;
            if claimed.is_empty() {
                return Ok(provider_requests::next_due(&mut connection).await?);
            }
            claimed
        };
        for result in join_all(claimed.into_iter().map(|request| self.ask(request))).await {
            result?;
        }
        Ok(Some(clock::now()))
    }

    async fn ask(&self, request: ClaimedRequest) -> Result<(), Error> {
        let answer = self.provider.send(&request.request).await;
        let mut tx = self.outbox.begin().await?;
        record_provider_answer(&mut tx, &self.process, request, answer).await?;
        tx.commit().await
    }

    /// Returns when there may be something to do.
    async fn wait(&self, next: Option<DateTime<Utc>>) {
        let pause = next.map(|next| (next - clock::now()).to_std().unwrap_or_default());
        tokio::select! {
            () = self.process.provider_waker().woken() => {}
            () = tokio::time::sleep(pause.unwrap_or(Duration::MAX)) => {}
            () = self.outbox.pause(POLL_INTERVAL) => {}
        }
    }
}
