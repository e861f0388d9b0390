//! Keeps the positions of a queue, and asks the publishers for missing messages.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use envelope::Envelope;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    WRITE_TIMEOUT, cursors,
    dead_letter::{UnreadableMessage, record_unreadable},
    message_reader::ReadMessage,
    position_store,
    queue_context::QueueContext,
    received_event::Key,
    received_positions::{Finding, ReceivedPositions, Request, SlotKey, SlotRole, StoredPositions},
};
use crate::{
    broker::{Channels, depth},
    error::{Error, causes, with_timeout},
    message_position::{ArrivedPosition, MissingMessages},
    naming::{consumer_queue, routing_key, slot_group},
    settings::Settings,
};

/// How often positions are stored at most. After a crash the messages of this time are asked for again.
const STORE_INTERVAL: Duration = Duration::from_secs(1);

/// How often another queue is looked at for which a batch waits.
const WAIT_INTERVAL: Duration = Duration::from_millis(500);

/// How long a batch waits without progress for another queue that has messages: a broken queue must not stop others.
const STALL_LIMIT: Duration = Duration::from_secs(10);

/// How long it waits without progress if no other queue has messages: a consumer may have them, and has stored nothing yet.
const SHORT_STALL_LIMIT: Duration = Duration::from_secs(5);

/// How long a batch waits at most. The broker closes a channel after half an hour without an acknowledgement.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

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
    /// Slots for whose missing messages batches no longer wait.
    given_up: BTreeSet<SlotKey>,
}

impl<'a> ReceivedMessages<'a> {
    pub(super) async fn load(
        context: &'a QueueContext,
        settings: &'a Settings,
    ) -> Result<Self, Error> {
        let slots: Vec<i16> = context.arriving.keys().copied().collect();
        let stored = with_timeout("reading the positions", WRITE_TIMEOUT, async {
            let mut connection = context.outbox.pool().acquire().await?;
            position_store::read(&mut connection, &context.consumer, &slots).await
        })
        .await?;
        let now = Instant::now();
        let role = |(slot, others): (&i16, &Vec<String>)| {
            let asks = context.slots.contains(slot);
            (*slot, SlotRole { asks, is_shared: !others.is_empty() })
        };
        let roles = context.arriving.iter().map(role).collect();
        let positions = ReceivedPositions::load(stored, roles, now);
        let (findings, given_up) = (Vec::new(), BTreeSet::new());
        Ok(Self { context, settings, positions, findings, stored_at: now, given_up })
    }

    /// Records the position of a message.
    pub(super) fn arrive(&mut self, position: Option<&ArrivedPosition>) {
        if let Some(arrived) = self.expected(position) {
            self.findings.extend(self.positions.arrive(arrived, Instant::now()));
        }
    }

    /// Records that a message is acknowledged.
    pub(super) fn finish(&mut self, position: Option<&ArrivedPosition>) {
        if let Some(arrived) = self.expected(position) {
            self.positions.finish(arrived);
        }
    }

    /// The position, if the queue is for its slot.
    fn expected<'p>(&self, position: Option<&'p ArrivedPosition>) -> Option<&'p ArrivedPosition> {
        position.filter(|arrived| self.context.arriving.contains_key(&arrived.position.slot))
    }

    /// When [`keep`](Self::keep) has something to do, unless messages arrive before.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let store = self.positions.is_changed().then(|| self.stored_at + STORE_INTERVAL);
        store.into_iter().chain(self.positions.next_request()).min()
    }

    /// Stores what has changed, records findings, and asks what is due.
    pub(super) async fn keep(&mut self, channels: &Channels) {
        let now = Instant::now();
        let shared = self.positions.due_shared(now);
        // What is missing here may be in another queue.
        if !shared.is_empty() && self.others_have_messages(channels, &shared).await {
            self.positions.postpone(&shared, now);
        }
        if self.positions.is_due(now) {
            // It may have arrived in another queue, also in the dead-letter queue.
            self.store_with(true).await;
        } else if self.positions.is_changed() && now >= self.stored_at + STORE_INTERVAL {
            self.store().await;
        }
        let queue = &self.context.queue;
        for Request { publisher, slot, history, ranges } in self.positions.take_requests(now) {
            tracing::info!(queue, publisher, slot, ?ranges, "asking for missing messages");
            let subscriber = self.settings.service.to_owned();
            let aggregate = self.context.subscription.aggregate().to_owned();
            let reply_queue = Some(self.queue_of(slot));
            let request =
                MissingMessages { subscriber, aggregate, slot, history, ranges, reply_queue };
            self.settings.requests.add(publisher, request);
        }
        self.settings.connections.missing(queue, self.positions.overdue());
    }

    /// The queue of a slot in the setting: it receives the answers, also if this queue is a former one.
    fn queue_of(&self, slot: i16) -> String {
        let aggregate = self.context.subscription.aggregate();
        let groups = self.settings.slot_groups.of(aggregate);
        let group = slot_group(u8::try_from(slot).unwrap_or_default(), groups);
        consumer_queue(self.settings.service, aggregate, group)
    }

    /// Waits while messages in front of these are in another queue of their slot: after a change of the number of slot groups, a new
    /// queue begins behind the backlog of the old one. Otherwise their events would be parked, each until its predecessor arrives.
    pub(super) async fn wait_for_others(
        &mut self,
        messages: &[ReadMessage],
        channels: &Channels,
        stop: &CancellationToken,
    ) {
        if self.context.arriving.values().all(Vec::is_empty) {
            return;
        }
        let positions = messages.iter().map(|message| message.position.as_ref());
        let arrived: Vec<_> =
            positions.filter_map(|position| self.expected(position).cloned()).collect();
        if self.positions.missing_before(&arrived).is_empty() {
            return;
        }
        let (first, began) = (first_events(messages), Instant::now());
        let (mut progress_at, mut least) = (began, BTreeMap::new());
        loop {
            let mut missing = self.positions.missing_before(&arrived);
            self.given_up.retain(|slot| missing.contains_key(slot));
            missing.retain(|slot, _| !self.given_up.contains(slot));
            // What was acknowledged in the last second before a crash is missing as well, but its events have taken effect.
            if missing.is_empty() || !self.has_gap(&first).await {
                return;
            }
            if least.is_empty() || missing.iter().any(|(slot, count)| least.get(slot) > Some(count))
            {
                (progress_at, least) = (Instant::now(), missing.clone());
            }
            let slots = missing.keys().map(|(_, slot)| *slot).collect();
            let is_filled = self.others_have_messages(channels, &slots).await;
            let limit = if is_filled { STALL_LIMIT } else { SHORT_STALL_LIMIT };
            if progress_at.elapsed() >= limit || began.elapsed() >= LONGEST_WAIT {
                self.given_up.extend(missing.into_keys());
                return;
            }
            if stop.run_until_cancelled(sleep(WAIT_INTERVAL)).await.is_none() {
                return;
            }
            self.store_with(true).await;
        }
    }

    /// Whether an event before these has not taken effect. Without the database the batch shows its failure.
    async fn has_gap(&self, first: &HashMap<Key, i64>) -> bool {
        let QueueContext { outbox, consumer, subscription, .. } = self.context;
        let found = with_timeout("comparing the cursors", WRITE_TIMEOUT, async {
            let mut connection = outbox.pool().acquire().await?;
            cursors::has_gap(&mut connection, consumer, subscription.aggregate(), first).await
        });
        found.await.unwrap_or_default()
    }

    /// Whether other queues of these slots have messages; also if the broker does not tell.
    async fn others_have_messages(&self, channels: &Channels, slots: &BTreeSet<i16>) -> bool {
        let others = slots.iter().filter_map(|slot| self.context.arriving.get(slot));
        let queues: BTreeSet<&String> = others.flatten().collect();
        for queue in queues {
            match depth(channels, queue).await {
                Ok(None | Some((0, _))) => {}
                Ok(Some(_)) => return true,
                Err(error) => {
                    tracing::debug!(queue, causes = ?causes(&error), "failed to look at a queue");
                    return true;
                }
            }
        }
        false
    }

    /// Stores what has changed.
    pub(super) async fn store(&mut self) {
        self.store_with(false).await;
    }

    /// Stores what has changed, and reads what the consumers of other queues have stored; with `missing`, also of slots that have not
    /// changed here, but miss messages.
    async fn store_with(&mut self, missing: bool) {
        self.stored_at = Instant::now();
        let compared = self.positions.to_compare(missing);
        let mut changed = Vec::new();
        let stored = with_timeout(
            "storing the positions",
            WRITE_TIMEOUT,
            Box::pin(self.write(&compared, &mut changed)),
        );
        match stored.await {
            Ok(()) => {
                self.findings.clear();
                self.positions.stored(changed);
            }
            Err(error) => {
                let queue = &self.context.queue;
                tracing::debug!(queue, causes = ?causes(&error), "failed to store the positions");
                self.positions.keep_changed(&changed);
            }
        }
    }

    async fn write(
        &mut self,
        compared: &[SlotKey],
        changed: &mut Vec<StoredPositions>,
    ) -> Result<(), Error> {
        let QueueContext { outbox, consumer, .. } = self.context;
        let mut tx = outbox.pool().begin().await?;
        let rows = position_store::lock(&mut tx, consumer, compared).await?;
        self.positions.join(rows, Instant::now());
        *changed = self.positions.take_changed();
        position_store::write(&mut tx, consumer, changed).await?;
        for finding in &self.findings {
            let (routing_key, letter) = self.dead_letter(finding);
            let route = (finding.publisher(), routing_key.as_str());
            record_unreadable(&mut tx, consumer, route, &letter).await?;
        }
        Ok(tx.commit().await?)
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

/// The first event of each key in these messages.
fn first_events(messages: &[ReadMessage]) -> HashMap<Key, i64> {
    let mut first: HashMap<Key, i64> = HashMap::new();
    for event in messages.iter().flat_map(|message| &message.parts).flatten() {
        let Envelope { sequence, .. } = event.envelope;
        let number = first.entry(event.key()).or_insert(sequence);
        *number = sequence.min(*number);
    }
    first
}
