//! Applies the deadlines of orders. Several instances may run side by side: each skips the rows that another one has
//! locked. An order that fails is quarantined and does not stop the others.

use std::{convert::Infallible, time::Duration};

use chrono::{DateTime, Utc};
use messaging::{Error, Outbox, Transaction};
use runtime::clock;
use tokio_util::sync::CancellationToken;
use vocabulary::{OrderId, ShipmentId};

use super::quarantine::Quarantine;
use crate::{
    app::order_process::{OrderProcess, TracedTransition},
    domain,
    storage::orders::{self, LockedOrder},
};

/// The longest sleep, unless the process rests. Deadlines that another instance committed are found after it.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest sleep; deadlines within it share a transaction.
const COALESCE_DELAY: Duration = Duration::from_millis(20);

/// The pause after a database error.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The maximum number of orders of a transaction.
const BATCH_SIZE: i64 = 256;

#[derive(Debug)]
pub(crate) struct DeadlineWorker {
    outbox: Outbox,
    process: OrderProcess,
    quarantine: Quarantine,
}

impl DeadlineWorker {
    pub(crate) fn new(outbox: Outbox, process: OrderProcess) -> Self {
        Self { outbox, process, quarantine: Quarantine::default() }
    }

    /// Applies deadlines as they pass, until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Infallible> {
        while !stop.is_cancelled() {
            match self.apply_due().await {
                Ok(()) => {
                    stop.run_until_cancelled(tokio::time::sleep(COALESCE_DELAY)).await;
                    stop.run_until_cancelled(self.wait_until_due()).await;
                }
                Err(error) => {
                    tracing::warn!(
                        error = problem::chain(&error),
                        "failed to apply deadlines; retrying"
                    );
                    stop.run_until_cancelled(tokio::time::sleep(RETRY_DELAY)).await;
                }
            }
        }
        Ok(())
    }

    /// Applies the deadlines that have passed. An error means an outage, not a bad order.
    async fn apply_due(&mut self) -> Result<(), Error> {
        for order in self.quarantine.due(clock::now()) {
            self.apply_alone(order).await?;
        }
        loop {
            let count = match self.apply_batch().await {
                Err(error) if !error.is_outage() => self.apply_one_by_one().await?,
                result => result?,
            };
            if i64::try_from(count).unwrap_or(i64::MAX) < BATCH_SIZE {
                return Ok(());
            }
        }
    }

    /// Applies a batch of deadlines in one transaction, and returns the number of orders.
    async fn apply_batch(&self) -> Result<usize, Error> {
        let mut tx = self.outbox.begin().await?;
        let now = clock::now();
        let locked = orders::lock_due(&mut tx, now, &self.quarantine.all(), BATCH_SIZE).await?;
        let count = locked.len();
        self.apply_locked(tx, locked, now).await?;
        Ok(count)
    }

    /// Applies a batch with a transaction for each order, so that only bad orders fail. Returns the number of orders.
    async fn apply_one_by_one(&mut self) -> Result<usize, Error> {
        let mut connection = self.outbox.pool().acquire().await?;
        let quarantined = self.quarantine.all();
        let due = orders::due_ids(&mut connection, clock::now(), &quarantined, BATCH_SIZE).await?;
        drop(connection);
        for order in &due {
            self.apply_alone(*order).await?;
        }
        Ok(due.len())
    }

    /// Applies the deadline of one order, and quarantines the order if that fails. An error means an outage.
    async fn apply_alone(&mut self, order: OrderId) -> Result<(), Error> {
        match self.apply_one(order).await {
            Ok(()) => self.quarantine.release(order),
            Err(error) if error.is_outage() => return Err(error),
            Err(error) => {
                tracing::error!(
                    %order,
                    error = problem::chain(&error),
                    "failed to apply the deadline of an order; retrying in a minute"
                );
                metrics::counter!("orders_quarantined_total").increment(1);
                self.quarantine.add(order, clock::now());
            }
        }
        Ok(())
    }

    async fn apply_one(&self, order: OrderId) -> Result<(), Error> {
        let mut tx = self.outbox.begin().await?;
        let now = clock::now();
        // An operator who repairs an order holds its row lock; other orders continue.
        let locked = orders::lock_one_due(&mut tx, order, now).await?;
        self.apply_locked(tx, locked, now).await
    }

    async fn apply_locked(
        &self,
        mut tx: Transaction,
        locked: impl IntoIterator<Item = LockedOrder>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let deadlines = self.process.deadlines();
        let transitions = locked.into_iter().filter_map(|LockedOrder { order, trace }| {
            let transition = domain::apply_deadline(order, ShipmentId::new, now, deadlines)?;
            Some(TracedTransition { trace, transition })
        });
        let transitions: Vec<TracedTransition> = transitions.collect();
        if !transitions.is_empty() {
            self.process.record(&mut tx, &transitions, now).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Returns when a deadline has passed, or after an error, which the next batch reports if it persists.
    async fn wait_until_due(&self) {
        let waker = self.process.deadline_waker();
        loop {
            waker.set_awake();
            let Ok(next) = self.next_deadline().await else {
                return tokio::time::sleep(RETRY_DELAY).await;
            };
            let next = next.into_iter().chain(self.quarantine.next_attempt()).min();
            let until = next.unwrap_or(DateTime::<Utc>::MAX_UTC);
            let Ok(pause) = (until - clock::now()).to_std() else { return };
            tokio::select! {
                () = waker.earlier_deadline(until) => {}
                () = tokio::time::sleep(pause) => {}
                () = self.outbox.pause(POLL_INTERVAL) => {}
            }
        }
    }

    async fn next_deadline(&self) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
        let mut connection = self.outbox.pool().acquire().await?;
        orders::next_deadline(&mut connection, &self.quarantine.all()).await
    }
}
