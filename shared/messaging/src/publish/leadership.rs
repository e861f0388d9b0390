//! The lease of the leading relay, for one process.

use uuid::Uuid;

use super::{
    QUERY_TIMEOUT, lease,
    outbox::Outbox,
    packing::{Message, Settlement},
    positions::{Positions, RoundPositions, settle_positions},
    publisher::{OutgoingMessage, encode},
    table::{self, LoggedMessage},
};
use crate::{
    error::{Error, causes, with_timeout},
    settings::Settings,
};

/// The name of the relay's lease.
pub(super) const LEASE: &str = "relay";

/// Acquires and checks the lease of the relay for this process.
#[derive(Clone, Copy)]
pub(super) struct Leadership<'a> {
    pub(super) outbox: &'a Outbox,
    /// The holder of the lease: this process.
    pub(super) holder: Uuid,
    pub(super) positions: &'a Positions,
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

    /// Whether this process leads and the broker accepts messages: during an alarm it reads nothing, and connections would pile up.
    pub(super) fn may_publish(&self, settings: &Settings) -> bool {
        self.outbox.waker().is_leading() && settings.connections.is_publishing()
    }

    /// Encodes messages that are published now, with their positions.
    pub(super) async fn encode(
        &self,
        messages: &[Message],
        service: &'static str,
        epoch: i64,
    ) -> Result<Vec<OutgoingMessage>, Error> {
        let positions = self.positions.give_out(self.outbox.pool(), epoch, messages).await?;
        encode(messages, &positions, service, self.outbox.signatures())
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
        let RoundPositions { last, unused } = settle_positions(messages, outgoing, settlement);
        let stored =
            settlement.stored.iter().map(|place| logged(&messages[*place], &outgoing[*place]));
        let unused = unused.iter().map(|place| LoggedMessage {
            events: 0,
            body: &[],
            ..logged(&messages[*place], &outgoing[*place])
        });
        let logged: Vec<LoggedMessage<'_>> = stored.chain(unused).collect();
        let is_held = with_timeout("moving confirmed events to the log", QUERY_TIMEOUT, async {
            let mut connection = self.outbox.pool().acquire().await?;
            let log = table::Log { messages: &logged, last: &last };
            table::move_to_log(&mut connection, confirmed, log, LEASE, self.holder, epoch).await
        })
        .await?;
        if is_held {
            self.positions.stored(epoch, last).await;
        }
        Ok(is_held)
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
        position: outgoing.number(),
        events: i32::try_from(message.rows.len()).unwrap_or(i32::MAX),
        body: &outgoing.body,
    }
}
