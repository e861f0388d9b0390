//! The only clock of the process: it sleeps until the earliest deadline, and does what is due then. Several instances may
//! run side by side: what one has locked, the others leave to it. An order over which it fails is set aside, and stops nobody
//! else.

use std::{convert::Infallible, time::Duration};

use chrono::{DateTime, Utc};
use messaging::{Error, Kit, Transaction};
use runtime::clock;
use tokio_util::sync::CancellationToken;
use vocabulary::{OrderId, ShipmentId};

use super::{Caused, Process, aside::Aside};
use crate::{
    domain,
    storage::orders::{self, Locked},
};

/// The longest sleep: what another instance has committed, and left undone, is found after that.
const SWEEP: Duration = Duration::from_secs(1);

/// The shortest sleep: deadlines that pass within it are dealt with together.
const BREATH: Duration = Duration::from_millis(20);

/// How long to wait when the database does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// How many orders are dealt with in one transaction.
const TOGETHER: i64 = 256;

impl Process {
    /// Does what is due, as it becomes due, until `stop`.
    pub(crate) async fn keep_time(
        self,
        kit: Kit,
        stop: CancellationToken,
    ) -> Result<(), Infallible> {
        let mut aside = Aside::default();
        while !stop.is_cancelled() {
            match self.do_what_is_due(&kit, &mut aside).await {
                Ok(()) => {
                    stop.run_until_cancelled(tokio::time::sleep(BREATH)).await;
                    stop.run_until_cancelled(self.sleep(&kit, &aside)).await;
                }
                Err(error) => {
                    tracing::warn!(
                        error = problem::chain(&error),
                        "what is due could not be done, and is tried again"
                    );
                    stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
                }
            }
        }
        Ok(())
    }

    /// Does what is due now. An error is no order's fault.
    async fn do_what_is_due(&self, kit: &Kit, aside: &mut Aside) -> Result<(), Error> {
        for order in aside.rested(clock::now()) {
            self.try_alone(kit, order, aside).await?;
        }
        loop {
            let taken = match self.do_together(kit, aside).await {
                Err(error) if !error.is_outage() => self.do_one_by_one(kit, aside).await?,
                done => done?,
            };
            if i64::try_from(taken).unwrap_or(i64::MAX) < TOGETHER {
                return Ok(());
            }
        }
    }

    /// Deals with orders that are due in one transaction, and answers with how many.
    async fn do_together(&self, kit: &Kit, aside: &Aside) -> Result<usize, Error> {
        let mut tx = kit.begin().await?;
        let now = clock::now();
        let locked = orders::lock_due(&mut tx, now, &aside.all(), TOGETHER).await?;
        let taken = locked.len();
        self.move_on(tx, locked, now).await?;
        Ok(taken)
    }

    /// Deals with as many orders in a transaction each, so that only the bad ones fail; answers with how many were tried.
    async fn do_one_by_one(&self, kit: &Kit, aside: &mut Aside) -> Result<usize, Error> {
        let mut connection = kit.pool().acquire().await?;
        let due = orders::due(&mut connection, clock::now(), &aside.all(), TOGETHER).await?;
        drop(connection);
        for order in &due {
            self.try_alone(kit, *order, aside).await?;
        }
        Ok(due.len())
    }

    /// Deals with one order, if it is due still, and sets it aside if that fails. An error is not its fault.
    async fn try_alone(&self, kit: &Kit, order: OrderId, aside: &mut Aside) -> Result<(), Error> {
        match self.do_alone(kit, order).await {
            Ok(()) => aside.forget(order),
            Err(error) if error.is_outage() => return Err(error),
            Err(error) => {
                tracing::error!(
                    %order,
                    error = problem::chain(&error),
                    "what is due for an order cannot be done, and is left alone for a minute"
                );
                metrics::counter!("orders_set_aside_total").increment(1);
                aside.put(order, clock::now());
            }
        }
        Ok(())
    }

    async fn do_alone(&self, kit: &Kit, order: OrderId) -> Result<(), Error> {
        let mut tx = kit.begin().await?;
        let now = clock::now();
        // Who repairs an order has it locked for as long as that takes, and all others go on meanwhile.
        let locked = orders::lock_one_due(&mut tx, order, now).await?;
        self.move_on(tx, locked, now).await
    }

    /// Does to locked orders what is due at `now`.
    async fn move_on(
        &self,
        mut tx: Transaction,
        locked: impl IntoIterator<Item = Locked>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let changes = locked.into_iter().filter_map(|locked| {
            let taken = domain::due(locked.order, ShipmentId::new(), now, self.terms())?;
            Some(Caused { cause: locked.trace, taken })
        });
        let changes: Vec<Caused> = changes.collect();
        if !changes.is_empty() {
            self.write(&mut tx, &changes, now).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Sleeps until the next deadline, or until one is set that is earlier.
    async fn sleep(&self, kit: &Kit, aside: &Aside) {
        self.alarm.looking();
        let next =
            async { orders::next_due(&mut *kit.pool().acquire().await?, &aside.all()).await };
        let now = clock::now();
        let until = match next.await {
            Ok(next) => next.map_or(now + SWEEP, |next| next.min(now + SWEEP)),
            // Whether the database is back is found out by doing what is due.
            Err(_) => now + PAUSE,
        };
        let pause = (until - now).to_std().unwrap_or_default();
        let _ = tokio::time::timeout(pause, self.alarm.woken_before(until)).await;
    }
}
