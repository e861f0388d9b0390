//! Processes the due parked events of one queue, beside the consumer of the queue: a handler that hangs holds up its key only.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{Id, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    MAX_STARTS, WRITE_TIMEOUT, cursors,
    dead_letter::MISSING_PREDECESSOR,
    parking::{self, DueKeys, FirstParked},
    plan::{Disposition, Origin, ParkedDecision, Position, decide_parked},
    queue_context::QueueContext,
    received_event::{Key, ReceivedEvent},
    retries,
    shutdown::with_grace,
    subscription::Ordering,
};
use crate::{
    error::{Error, causes, with_timeout},
    publish::{lease::LEASE_TTL, transaction::Transaction},
};

/// How many keys a replica retries at the same time, over all its queues. Each may hold a connection of the pool as long as its handler
/// hangs.
pub(super) const MAX_RETRIES: usize = 4;

/// When to check the parked events again if the database did not answer, and how long a parked event waits whose handler could
/// not reach a dependency.
const RETRY_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long a key is left alone of which no event could be started, for example because another process handles it.
const IDLE_INTERVAL: Duration = Duration::from_millis(200);

/// How often parked events are checked though none is known to be due, and how often those of an unknown type: another process may
/// have parked them that does not know it.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

pub(super) struct RetryWorker {
    pub(super) context: Arc<QueueContext>,
    /// The retries that this replica may still start.
    pub(super) permits: Arc<Semaphore>,
    /// Whether any event of the service may be parked.
    pub(super) may_be_parked: Arc<AtomicBool>,
    /// How often the parked events of a key have failed in a row as if the database was unavailable.
    pub(super) outages: Mutex<HashMap<Key, u32>>,
}

/// The keys that are retried now, by their tasks. A key has one task at most.
#[derive(Default)]
struct RunningRetries {
    tasks: JoinSet<()>,
    keys: HashMap<Id, Key>,
}

impl RunningRetries {
    /// The next task that ends; waits for ever if there is none.
    async fn ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => drop(self.keys.remove(&id)),
            Some(Err(error)) => {
                tracing::error!(causes = ?causes(&error), "the retry of a parked key ended unexpectedly");
                self.keys.remove(&error.id());
            }
            None => std::future::pending().await,
        }
    }
}

impl RetryWorker {
    /// Retries due events until `stop`; then the running attempts get a grace period.
    pub(super) async fn run(self: Arc<Self>, stop: &CancellationToken) -> Result<(), Error> {
        with_timeout("adopting parked events", WRITE_TIMEOUT, self.adopt_parked()).await?;
        let mut parking_signal = self.context.outbox.parking_signal().subscribe();
        let (mut next_check, mut next_revival) = (Instant::now(), Instant::now());
        // Whether nothing is known that is due at the next check.
        let mut is_sweep = false;
        let mut running = RunningRetries::default();
        let mut due: VecDeque<Key> = VecDeque::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = running.ended() => (next_check, is_sweep) = (Instant::now(), false),
                Ok(permit) = self.permits.clone().acquire_owned(), if !due.is_empty() => {
                    if let Some(key) = due.pop_front() {
                        let retry = self.clone().retry(key.clone(), permit, stop.clone());
                        running.keys.insert(running.tasks.spawn(retry).id(), key);
                    }
                }
                () = self.context.parked.notified() => (next_check, is_sweep) = (Instant::now(), false),
                Ok(()) = parking_signal.changed() => (next_check, is_sweep) = (Instant::now(), false),
                () = tokio::time::sleep_until(next_check), if due.is_empty() => {
                    if is_sweep && !self.may_be_parked.load(Relaxed) {
                        next_check = Instant::now() + SWEEP_INTERVAL;
                        continue;
                    }
                    if Instant::now() >= next_revival {
                        next_revival = self.revive().await;
                    }
                    let found = self.due().await;
                    let busy: HashSet<&Key> = running.keys.values().collect();
                    due.extend(found.keys.into_iter().filter(|key| !busy.contains(key)));
                    is_sweep = found.next.is_none();
                    next_check = Instant::now() + found.next.unwrap_or(SWEEP_INTERVAL).min(SWEEP_INTERVAL);
                }
            }
        }
        while running.tasks.join_next().await.is_some() {}
        Ok(())
    }

    /// Processes the due events of a key. `permit` is returned when this has ended.
    async fn retry(
        self: Arc<Self>,
        key: Key,
        permit: OwnedSemaphorePermit,
        stop: CancellationToken,
    ) {
        let processed = with_grace(&stop, Box::pin(self.process_parked_key(&key))).await;
        drop(permit);
        // The key stays busy for a while, so that it is not tried again at once.
        let pause = match processed {
            Some(Ok(true)) | None => return,
            Some(Ok(false)) => IDLE_INTERVAL,
            Some(Err(error)) => {
                tracing::warn!(causes = ?causes(&error), "failed to process a parked key; retrying later");
                RETRY_POLL_INTERVAL
            }
        };
        stop.run_until_cancelled(tokio::time::sleep(pause)).await;
    }

    /// The keys with due parked events, and when the next event is due.
    async fn due(&self) -> DueKeys {
        let query = async {
            let mut connection = self.context.outbox.pool().acquire().await?;
            parking::due(&mut connection, &self.context.consumer, &self.context.slots).await
        };
        match with_timeout("checking the parked events", LEASE_TTL, query).await {
            Ok(due) => due,
            Err(error) => {
                tracing::debug!(causes = ?causes(&error), "failed to check the parked events");
                DueKeys { keys: Vec::new(), next: Some(RETRY_POLL_INTERVAL) }
            }
        }
    }

    /// Makes parked events due whose type this program knows, though the one that parked them did not. Returns when to look again.
    async fn revive(&self) -> Instant {
        let QueueContext { outbox, consumer, subscription, slots, .. } = &*self.context;
        let known = [subscription.handled(), subscription.ignored()].concat();
        let revived = async {
            let mut connection = outbox.pool().acquire().await?;
            parking::revive(&mut connection, consumer, slots, &known).await
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
        let QueueContext { outbox, consumer, subscription, slots, .. } = &*self.context;
        let Ordering::LatestWins(_) = subscription.ordering() else { return Ok(()) };
        let mut connection = outbox.pool().acquire().await?;
        retries::adopt(&mut connection, consumer, slots).await
    }

    /// Returns whether an event was started.
    async fn process_parked_key(&self, key: &Key) -> Result<bool, Error> {
        let start = async {
            match self.context.subscription.ordering() {
                Ordering::LatestWins(_) => self.start_newest(key).await,
                Ordering::Sequenced(_) => self.start_first(key).await,
            }
        };
        match with_timeout("starting the parked events of a key", WRITE_TIMEOUT, start).await? {
            Some(started) => self.process_started(key, started).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Starts the newest due event of a key of full state, alone.
    async fn start_newest(&self, key: &Key) -> Result<Option<StartedEvents>, Error> {
        let QueueContext { outbox, consumer, subscription, .. } = &*self.context;
        // The start is committed before the handler runs: if the process dies over the event, the count tells.
        let started = {
            let mut connection = outbox.pool().acquire().await?;
            retries::start(&mut connection, consumer, subscription.aggregate(), key).await?
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
        let QueueContext { outbox, consumer, subscription, .. } = &*self.context;
        let aggregate = subscription.aggregate();
        let mut tx = outbox.begin().await?;
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
            parking::settle(&mut tx, consumer, aggregate, [key]).await?;
            tx.commit().await?;
            return Ok(None);
        };
        // The start is committed before the handler runs: if the process dies over the event, the count tells.
        tx.commit().await?;
        let events = {
            let mut connection = outbox.pool().acquire().await?;
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
        let context = &self.context;
        let processor = context.processor(context.are_suspect(self.outages(key)).await);
        let processed = Box::pin(processor.process(events, dispositions, Origin::Parked)).await;
        let Err(error) = processed else {
            self.lock_outages().remove(key);
            return Ok(());
        };
        *self.lock_outages().entry(key.clone()).or_default() += 1;
        let (consumer, aggregate) = (&context.consumer, context.subscription.aggregate());
        let postponed = async {
            let mut connection = context.outbox.pool().acquire().await?;
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
        let processor = self.context.processor(false);
        processor.record_dead_letter(tx, &event, MISSING_PREDECESSOR, false).await
    }

    /// How often the parked events of a key have failed in a row as if the database was unavailable.
    fn outages(&self, key: &Key) -> u32 {
        self.lock_outages().get(key).copied().unwrap_or_default()
    }

    fn lock_outages(&self) -> MutexGuard<'_, HashMap<Key, u32>> {
        self.outages.lock().unwrap_or_else(PoisonError::into_inner)
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
