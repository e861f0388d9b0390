//! The lease of the leading relay, for one process.

use std::time::Duration;

use uuid::Uuid;

use super::{
    lease,
    outbox::Outbox,
    packing::{Message, Settlement},
    publisher::OutgoingMessage,
    table::{self, LoggedMessage},
};
use crate::error::{Error, causes, with_timeout};

/// The name of the relay's lease.
pub(super) const LEASE: &str = "relay";

/// The timeout of a database operation.
pub(super) const QUERY_TIMEOUT: Duration = Duration::from_secs(15);

/// Acquires and checks the lease of the relay for this process.
#[derive(Clone, Copy)]
pub(super) struct Leadership<'a> {
    pub(super) outbox: &'a Outbox,
    /// The holder of the lease: this process.
    pub(super) holder: Uuid,
}

impl Leadership<'_> {
    /// Acquires or renews the lease; returns the epoch if it is ours.
    pub(super) async fn renew(&self) -> Result<Option<i64>, Error> {
        with_timeout("renewing the relay's lease", QUERY_TIMEOUT, async {
            let mut connection = self.outbox.pool().acquire().await?;
            lease::acquire(&mut connection, LEASE, self.holder).await
        })
        .await
    }

    /// Moves the rows of the confirmed messages of a round from the outbox to the log. Returns whether the lease was held.
    pub(super) async fn settle(
        &self,
        settlement: &Settlement,
        messages: &[Message],
        outgoing: &[OutgoingMessage],
        epoch: i64,
    ) -> Result<bool, Error> {
        let confirmed = &settlement.confirmed;
        metrics::counter!("messaging_events_published_total")
            .increment(u64::try_from(confirmed.len()).unwrap_or_default());
        let logged =
            settlement.stored.iter().map(|place| logged(&messages[*place], &outgoing[*place]));
        let logged: Vec<LoggedMessage<'_>> = logged.collect();
        with_timeout("moving confirmed events to the log", QUERY_TIMEOUT, async {
            let mut connection = self.outbox.pool().acquire().await?;
            table::move_to_log(&mut connection, confirmed, &logged, LEASE, self.holder, epoch).await
        })
        .await
    }

    /// Releases the lease, so that a successor starts at once.
    pub(super) async fn step_down(self) {
        let released = with_timeout("releasing the relay's lease", QUERY_TIMEOUT, async {
            let mut connection = self.outbox.pool().acquire().await?;
            lease::release(&mut connection, LEASE, self.holder).await
        });
        if let Err(error) = released.await {
            tracing::debug!(causes = ?causes(&error), "failed to release the relay's lease; it will expire");
        }
    }
}

/// A message of a round as it is logged.
fn logged<'a>(message: &'a Message, outgoing: &'a OutgoingMessage) -> LoggedMessage<'a> {
    LoggedMessage {
        aggregate: &message.partition.aggregate,
        slot: message.partition.slot,
        events: i32::try_from(message.rows.len()).unwrap_or(i32::MAX),
        body: &outgoing.body,
    }
}
