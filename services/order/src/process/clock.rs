//! The only clock of the process: it sleeps until the earliest deadline, and does what is due then. Several instances may
//! run side by side: what one has locked, the others leave to it.

use std::{convert::Infallible, time::Duration};

use messaging::{Error, Kit};
use runtime::clock;
use tokio_util::sync::CancellationToken;
use vocabulary::ShipmentId;

use super::{Caused, Process};
use crate::{domain, storage::orders};

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
        while !stop.is_cancelled() {
            match self.do_what_is_due(&kit).await {
                Ok(()) => {
                    stop.run_until_cancelled(tokio::time::sleep(BREATH)).await;
                    stop.run_until_cancelled(self.sleep(&kit)).await;
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

    async fn do_what_is_due(&self, kit: &Kit) -> Result<(), Error> {
        loop {
            let mut tx = kit.begin().await?;
            let now = clock::now();
            let locked = orders::lock_due(&mut tx, now, TOGETHER).await?;
            let taken = locked.len();
            let changes = locked.into_iter().filter_map(|locked| {
                let taken = domain::due(locked.order, ShipmentId::new(), now, self.terms())?;
                Some(Caused { cause: locked.trace, taken })
            });
            let changes: Vec<Caused> = changes.collect();
            if !changes.is_empty() {
                self.write(&mut tx, &changes, now).await?;
                tx.commit().await?;
            }
            if i64::try_from(taken).unwrap_or(i64::MAX) < TOGETHER {
                return Ok(());
            }
        }
    }

    /// Sleeps until the next deadline, or until one is set that is earlier.
    async fn sleep(&self, kit: &Kit) {
        self.alarm.looking();
        let next = async { orders::next_due(&mut *kit.pool().acquire().await?).await };
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
