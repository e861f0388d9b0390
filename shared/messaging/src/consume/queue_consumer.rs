//! The consumer of one queue.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lapin::{Channel, types::FieldTable};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    BATCH_EVENTS, FIRST_BATCH, MAX_STARTS, WRITE_TIMEOUT,
    batch_processor::BatchProcessor,
    cursors,
    dead_letter::MISSING_PREDECESSOR,
    deliveries::{decode, record_part, start_consumer},
    delivery_buffer::{DeliveryBuffer, WorkItem, prefetch},
    parking::{self, FirstParked},
    plan::{Disposition, Origin, ParkedDecision, Position, decide_parked},
    received_event::{Key, ReceivedEvent},
    retries,
    shutdown::{retry_until_stopped, with_grace},
    subscription::{Ordering, Subscription},
};
use crate::{
    batch_size::BatchLimit,
    broker,
    connection_status::ConnectionMonitor,
    error::{Error, causes, with_timeout},
    publish::{lease::LEASE_TTL, outbox::Outbox, transaction::Transaction},
    queue_metrics::{EventTimes, QueueStats, published_at},
};

/// When to check the parked events again if the database did not answer, and how long a parked event waits whose handler could
/// not reach a dependency.
const RETRY_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long parked events are processed before the queue has its turn. A key that is started is finished.
const MAX_PARKED_TIME: Duration = Duration::from_millis(100);

/// How often parked events are checked though none is known to be due, and how often those of an unknown type: another process may
/// have parked them that does not know it.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

/// How often the same events may fail in a row as if the database was unavailable before it is asked whether it is. An outage that
/// ends by itself lasts shorter: with the delays between attempts this takes about ten seconds.
const MAX_OUTAGES: u32 = 8;

/// The timeout of a query without work.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// Consumes one slot group of one subscription: one queue, one channel, one batch at a time.
pub(super) struct QueueConsumer {
    pub(super) outbox: Outbox,
    pub(super) queue: String,
    pub(super) consumer: String,
    pub(super) stats: Arc<QueueStats>,
    pub(super) subscription: Subscription,
    pub(super) group: u8,
    pub(super) connections: ConnectionMonitor,
    /// How often the parked events of a key have failed in a row as if the database was unavailable.
    pub(super) outages: Mutex<HashMap<Key, u32>>,
}

impl QueueConsumer {
    fn processor(&self, is_suspect: bool) -> BatchProcessor<'_> {
        BatchProcessor {
            outbox: &self.outbox,
            subscription: &self.subscription,
            consumer: &self.consumer,
            is_suspect,
        }
    }

    /// Whether events are the cause that have failed `outages` times in a row as if the database was unavailable: it answers
    /// nevertheless.
    async fn are_suspect(&self, outages: u32) -> bool {
        let is_suspect = outages >= MAX_OUTAGES && self.database_answers().await;
        if is_suspect {
            tracing::warn!(
                queue = self.queue,
                outages,
                "the database answers; the events are to blame"
            );
        }
        is_suspect
    }

    async fn database_answers(&self) -> bool {
        let ping = sqlx::query_scalar!("select 1").fetch_one(self.outbox.pool());
        with_timeout("a query without work", PING_TIMEOUT, ping).await.is_ok()
    }

    pub(super) async fn run(
        &self,
        channel: &Channel,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        with_timeout("adopting parked events", WRITE_TIMEOUT, self.adopt_parked()).await?;
        let mut buffer = self.start(channel).await?;
        self.connections.queue_works(&self.queue);
        let (mut next_check, mut next_revival) = (Instant::now(), Instant::now());
        let mut parking_signal = self.outbox.parking_signal().subscribe();
        loop {
            // Checked here and not only awaited below, so that a busy queue does not starve the parked events. In turn, the queue is
            // polled below before the next check, so that parked events do not starve the queue.
            if Instant::now() >= next_check || parking_signal.has_changed().unwrap_or(false) {
                parking_signal.mark_unchanged();
                if Instant::now() >= next_revival {
                    next_revival = self.revive().await;
                }
                next_check = self.process_parked_keys(stop).await;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                item = buffer.next(&self.queue) => {
                    let (item, began) = (item?, Instant::now());
                    self.stats.started(buffer.messages(&item));
                    let parked = retry_until_stopped(stop, |failures| self.process(&item, failures)).await;
                    let Some(parked) = parked else { break };
                    // Events committed without an acknowledgement are redelivered and recognised by their cursors.
                    let acknowledged = buffer.finish(item, began.elapsed(), &self.queue).await?;
                    self.stats.acknowledged(acknowledged);
                    if parked {
                        next_check = next_check.min(self.next_parked_check().await);
                    }
                }
                Ok(()) = parking_signal.changed() => next_check = Instant::now(),
                () = tokio::time::sleep_until(next_check) => {}
            }
        }
        // The channel is closed before the consumer is dropped. Otherwise the broker delivers later messages to another process while
        // earlier ones are still unacknowledged here.
        with_timeout("closing a channel", broker::REPLY_TIMEOUT, channel.close(200, "done".into()))
            .await
    }

    async fn start(&self, channel: &Channel) -> Result<DeliveryBuffer, Error> {
        let Self { queue, consumer, subscription, .. } = self;
        let ordering = subscription.ordering();
        let prefetch = prefetch(ordering);
        let deliveries = start_consumer(channel, queue, prefetch, FieldTable::default()).await?;
        let limit = BatchLimit::new(subscription.batch_size(), BATCH_EVENTS, FIRST_BATCH);
        Ok(DeliveryBuffer::new(ordering, deliveries, limit, consumer, subscription.aggregate()))
    }

    /// Processes the events of a work item; unreadable parts become dead letters. Returns whether events of its keys are parked.
    async fn process(&self, item: &WorkItem, outages: u32) -> Result<bool, Error> {
        let mut events = Vec::new();
        match item {
            WorkItem::Messages(batch) => {
                let is_subscribed = |aggregate: &str| aggregate == self.subscription.aggregate();
                let mut times = EventTimes::default();
                for delivery in &batch.deliveries {
                    let decoded =
                        decode(&self.outbox, &self.consumer, delivery, &is_subscribed).await?;
                    let emitted = decoded.iter().map(|event| event.envelope.time);
                    times.add(published_at(delivery), emitted);
                    events.extend(decoded);
                }
                self.stats.decoded(times);
            }
            WorkItem::Events(parts, times) => {
                for (_, part) in parts {
                    match part {
                        Ok(event) => events.push(event.clone()),
                        Err(unreadable) => {
                            record_part(&self.outbox, &self.consumer, unreadable).await?;
                        }
                    }
                }
                self.stats.decoded(*times);
            }
        }
        let processor = self.processor(self.are_suspect(outages).await);
        processor.process(events, HashMap::new(), Origin::Queue).await
    }

    /// Processes due parked events, key by key, for a limited time. Returns the time of the next check: at once if keys are left.
    async fn process_parked_keys(&self, stop: &CancellationToken) -> Instant {
        let began = Instant::now();
        let due = with_timeout("checking the parked events", LEASE_TTL, self.due_keys()).await;
        let Ok(keys) = due else { return Instant::now() + RETRY_POLL_INTERVAL };
        for key in keys {
            if began.elapsed() > MAX_PARKED_TIME {
                return Instant::now();
            }
            match with_grace(stop, Box::pin(self.process_parked_key(&key))).await {
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    tracing::warn!(causes = ?causes(&error), "failed to process a parked key; retrying later");
                }
                None => break,
            }
        }
        self.next_parked_check().await
    }

    /// The keys with due parked events.
    async fn due_keys(&self) -> Result<Vec<Key>, Error> {
        let mut connection = self.outbox.pool().acquire().await?;
        parking::due_keys(&mut connection, &self.consumer, self.group).await
    }

    /// Makes parked events due whose type this program knows, though the one that parked them did not. Returns when to look again.
    async fn revive(&self) -> Instant {
        let subscription = &self.subscription;
        let known = [subscription.handled(), subscription.ignored()].concat();
        let revived = async {
            let mut connection = self.outbox.pool().acquire().await?;
            parking::revive(&mut connection, &self.consumer, self.group, &known).await
        };
        match with_timeout("reviving parked events", LEASE_TTL, revived).await {
            Ok(true) => Instant::now(),
            Ok(false) => Instant::now() + SWEEP_INTERVAL,
            Err(error) => {
                tracing::warn!(causes = ?causes(&error), "failed to look for events of a known type");
                Instant::now() + RETRY_POLL_INTERVAL
            }
        }
    }

    /// Makes parked events due if the subscription was sequenced before: none of them waits for another any more.
    async fn adopt_parked(&self) -> Result<(), Error> {
        let Ordering::LatestWins(_) = self.subscription.ordering() else { return Ok(()) };
        let mut connection = self.outbox.pool().acquire().await?;
        retries::adopt(&mut connection, &self.consumer, self.group).await
    }

    async fn process_parked_key(&self, key: &Key) -> Result<(), Error> {
        let start = async {
            match self.subscription.ordering() {
                Ordering::LatestWins(_) => self.start_newest(key).await,
                Ordering::Sequenced(_) => self.start_first(key).await,
            }
        };
        match with_timeout("starting the parked events of a key", WRITE_TIMEOUT, start).await? {
            Some(started) => self.process_started(key, started).await,
            None => Ok(()),
        }
    }

    /// Starts the newest due event of a key of full state, alone.
    async fn start_newest(&self, key: &Key) -> Result<Option<StartedEvents>, Error> {
        let (consumer, aggregate) = (&self.consumer, self.subscription.aggregate());
        // The start is committed before the handler runs: if the process dies over the event, the count tells.
        let started = {
            let mut connection = self.outbox.pool().acquire().await?;
            retries::start(&mut connection, consumer, aggregate, key).await?
        };
        Ok(started.map(|(event, starts)| {
            let sequence = event.envelope.sequence;
            let is_given_up = starts > MAX_STARTS;
            let disposition =
                is_given_up.then_some((0, Disposition::DeadLetter("starts_exhausted")));
            StartedEvents {
                sequence,
                events: vec![event],
                dispositions: disposition.into_iter().collect(),
            }
        }))
    }

    /// Starts the first parked event of a key, if it is due, and those behind it.
    async fn start_first(&self, key: &Key) -> Result<Option<StartedEvents>, Error> {
        let (consumer, aggregate) = (&self.consumer, self.subscription.aggregate());
        let mut tx = self.outbox.begin().await?;
        let only = BTreeSet::from([key.clone()]);
        let positions = cursors::lock(&mut tx, consumer, aggregate, &only).await?;
        let position = positions.get(key).copied().unwrap_or(Position::START);
        let first = parking::first(&mut tx, consumer, aggregate, key, position.last).await?;
        let found = first.as_ref().map(|first| (first.sequence, first.is_due, first.starts));
        let decision = found.map_or(ParkedDecision::NotDue, |(sequence, is_due, starts)| {
            decide_parked(position, sequence, is_due, starts, MAX_STARTS)
        });
        if let (ParkedDecision::MissingPredecessor, Some(first)) = (decision, first) {
            self.record_missing_predecessor(&mut tx, first, position.last).await?;
        }
        let (ParkedDecision::Attempt | ParkedDecision::GiveUp, Some((sequence, ..))) =
            (decision, found)
        else {
            parking::settle(&mut tx, consumer, aggregate, key).await?;
            tx.commit().await?;
            return Ok(None);
        };
        // The start is committed before the handler runs: if the process dies over the event, the count tells.
        tx.commit().await?;
        let events = {
            let mut connection = self.outbox.pool().acquire().await?;
            parking::events_of_key(&mut connection, consumer, aggregate, key).await?
        };
        // Another process may have processed the key meanwhile: the dead letter is this event, not whichever is first now.
        let is_given_up = |event: &ReceivedEvent| {
            decision == ParkedDecision::GiveUp && event.envelope.sequence == sequence
        };
        let index = events.iter().position(is_given_up);
        let dispositions = index.map(|index| (index, Disposition::DeadLetter("starts_exhausted")));
        Ok(Some(StartedEvents {
            sequence,
            events,
            dispositions: dispositions.into_iter().collect(),
        }))
    }

    /// Processes started events. If a dependency of the handler is unreachable, the start is taken back: it says nothing about the
    /// event. If the process dies, the start remains.
    async fn process_started(
        &self,
        key: &Key,
        StartedEvents { sequence, events, dispositions }: StartedEvents,
    ) -> Result<(), Error> {
        let processor = self.processor(self.are_suspect(self.outages(key)).await);
        let processed = Box::pin(processor.process(events, dispositions, Origin::Parked)).await;
        let Err(error) = processed else {
            self.lock_outages().remove(key);
            return Ok(());
        };
        *self.lock_outages().entry(key.clone()).or_default() += 1;
        let (consumer, aggregate) = (&self.consumer, self.subscription.aggregate());
        let postponed = async {
            let mut connection = self.outbox.pool().acquire().await?;
            let delay = RETRY_POLL_INTERVAL;
            parking::postpone(&mut connection, consumer, aggregate, key, sequence, delay).await
        };
        with_timeout("postponing a parked event", WRITE_TIMEOUT, postponed).await?;
        Err(error)
    }

    /// Records an event whose predecessor did not arrive in time as a dead letter: numbers are dense, so an event may be lost. The
    /// event stays parked: if the predecessor arrives after all, it is applied and its dead letter is resolved. It is never skipped:
    /// a redrive requires the predecessor, too.
    async fn record_missing_predecessor(
        &self,
        tx: &mut Transaction,
        first: FirstParked,
        last: i64,
    ) -> Result<(), Error> {
        let FirstParked { sequence, mut event, .. } = first;
        let missing = last + 1;
        event.causes.push(format!("event {missing} of the key is missing before event {sequence}"));
        let processor = self.processor(false);
        processor.record_dead_letter(tx, &event, MISSING_PREDECESSOR, false).await
    }

    /// How often the parked events of a key have failed in a row as if the database was unavailable.
    fn outages(&self, key: &Key) -> u32 {
        self.lock_outages().get(key).copied().unwrap_or_default()
    }

    fn lock_outages(&self) -> MutexGuard<'_, HashMap<Key, u32>> {
        self.outages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of the next check of the parked events.
    async fn next_parked_check(&self) -> Instant {
        let query = async {
            let mut connection = self.outbox.pool().acquire().await?;
            parking::next_due(&mut connection, &self.consumer, self.group).await
        };
        let delay = match with_timeout("checking the parked events", LEASE_TTL, query).await {
            Ok(due) => due.unwrap_or(SWEEP_INTERVAL).min(SWEEP_INTERVAL),
            Err(_) => RETRY_POLL_INTERVAL,
        };
        Instant::now() + delay
    }
}

/// Parked events of a key whose start is committed.
struct StartedEvents {
    /// The number of the first event.
    sequence: i64,
    /// The first event and those behind it.
    events: Vec<ReceivedEvent>,
    /// Known dispositions by index.
    dispositions: HashMap<usize, Disposition>,
}
