//! Keeps the positions of a queue, and asks the publishers for missing messages.

use std::time::Duration;

use lapin::message::Delivery;
use serde_json::json;
use tokio::time::Instant;

use super::{
    WRITE_TIMEOUT,
    dead_letter::{UnreadableMessage, record_unreadable},
    position_store,
    queue_context::QueueContext,
    received_positions::{Finding, ReceivedPositions, Request},
};
use crate::{
    error::{Error, causes, with_timeout},
    message_position::{ArrivedPosition, MissingMessages, of_delivery},
    naming::{routing_key, slots_of},
    settings::Settings,
};

/// How often positions are stored at most. After a crash the messages of this time are asked for again.
const STORE_INTERVAL: Duration = Duration::from_secs(1);

/// The reason of a dead letter about messages that the publisher no longer has.
const MESSAGES_LOST: &str = "messages_lost";

/// The reason of a dead letter about a publisher whose database has gone back.
const PUBLISHER_WENT_BACK: &str = "publisher_went_back";

/// The positions of the consumer of one queue.
pub(super) struct ReceivedMessages<'a> {
    context: &'a QueueContext,
    settings: &'a Settings,
    positions: ReceivedPositions,
    findings: Vec<Finding>,
    stored_at: Instant,
}

impl<'a> ReceivedMessages<'a> {
    pub(super) async fn load(
        context: &'a QueueContext,
        settings: &'a Settings,
    ) -> Result<Self, Error> {
        let slots: Vec<i16> =
            slots_of(context.group).map(|slot| i16::from(slot.number())).collect();
        let stored = with_timeout("reading the positions", WRITE_TIMEOUT, async {
            let mut connection = context.outbox.pool().acquire().await?;
            position_store::read(&mut connection, &context.consumer, &slots).await
        })
        .await?;
        let now = Instant::now();
        let positions = ReceivedPositions::load(stored, now);
        Ok(Self { context, settings, positions, findings: Vec::new(), stored_at: now })
    }

    /// Records a delivery.
    pub(super) fn arrive(&mut self, delivery: &Delivery) {
        if let Some(arrived) = self.position(delivery) {
            self.findings.extend(self.positions.arrive(&arrived, Instant::now()));
        }
    }

    /// Records that a delivery is acknowledged.
    pub(super) fn finish(&mut self, delivery: &Delivery) {
        if let Some(arrived) = self.position(delivery) {
            self.positions.finish(&arrived);
        }
    }

    fn position(&self, delivery: &Delivery) -> Option<ArrivedPosition> {
        let is_expected = |arrived: &ArrivedPosition| {
            let publishers = self.context.subscription.publishers();
            let slot = u8::try_from(arrived.position.slot).ok();
            publishers.iter().any(|publisher| *publisher == arrived.publisher)
                && slots_of(self.context.group).any(|own| Some(own.number()) == slot)
        };
        of_delivery(delivery).filter(is_expected)
    }

    /// When [`keep`](Self::keep) has something to do, unless messages arrive before.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let store = self.positions.is_changed().then(|| self.stored_at + STORE_INTERVAL);
        store.into_iter().chain(self.positions.next_request()).min()
    }

    /// Stores what has changed, records findings, and asks what is due.
    pub(super) async fn keep(&mut self) {
        let now = Instant::now();
        if self.positions.is_changed() && now >= self.stored_at + STORE_INTERVAL {
            self.store().await;
        }
        let queue = &self.context.queue;
        for Request { publisher, slot, history, ranges } in self.positions.take_requests(now) {
            tracing::info!(queue, publisher, slot, ?ranges, "asking for missing messages");
            let subscriber = self.settings.service.to_owned();
            let aggregate = self.context.subscription.aggregate().to_owned();
            let request = MissingMessages { subscriber, aggregate, slot, history, ranges };
            self.settings.requests.add(publisher, request);
        }
        self.settings.connections.missing(queue, self.positions.overdue());
    }

    /// Stores what has changed.
    pub(super) async fn store(&mut self) {
        self.stored_at = Instant::now();
        let changed = self.positions.take_changed();
        let QueueContext { outbox, consumer, queue, .. } = self.context;
        let findings = &self.findings;
        let stored = with_timeout("storing the positions", WRITE_TIMEOUT, async {
            let mut tx = outbox.pool().begin().await?;
            position_store::write(&mut tx, consumer, &changed).await?;
            for finding in findings {
                let (routing_key, letter) = self.dead_letter(finding);
                let route = (finding.publisher(), routing_key.as_str());
                record_unreadable(&mut tx, consumer, route, &letter).await?;
            }
            Ok::<_, Error>(tx.commit().await?)
        });
        match stored.await {
            Ok(()) => self.findings.clear(),
            Err(error) => {
                tracing::debug!(queue, causes = ?causes(&error), "failed to store the positions");
                self.positions.keep_changed(&changed);
            }
        }
    }

    fn dead_letter(&self, finding: &Finding) -> (String, UnreadableMessage) {
        let aggregate = self.context.subscription.aggregate();
        let (Finding::Lost { publisher, slot, range }
        | Finding::WentBack { publisher, slot, range }) = finding;
        let (reason, cause) = match finding {
            Finding::Lost { .. } => (
                MESSAGES_LOST,
                format!(
                    "{publisher} no longer has its messages {} to {} of slot {slot}",
                    range.first, range.last
                ),
            ),
            Finding::WentBack { .. } => (
                PUBLISHER_WENT_BACK,
                format!(
                    "{publisher} does not know its messages {} to {} of slot {slot}, which have arrived here",
                    range.first, range.last
                ),
            ),
        };
        let payload = json!({
            "publisher": publisher, "aggregate": aggregate, "slot": slot, "first": range.first, "last": range.last,
        });
        let routing_key = routing_key(aggregate, u8::try_from(*slot).unwrap_or_default());
        let payload = payload.to_string().into_bytes();
        (routing_key, UnreadableMessage { reason, causes: vec![cause], payload })
    }
}
