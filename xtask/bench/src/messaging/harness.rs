//! Two services with databases and a vhost of their own: `publisher` emits events, `consumer` records their
//! effects.

use std::{
    collections::HashSet,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use envelope::Event as _;
use messaging::{
    Batch, Failure as HandlerFailure, Handler, MIGRATOR, MessagingRuntime, OnReject, Outbox,
    Signatures, Subscription, Topology, Transaction,
};
use testkit::{Database, Postgres, RabbitMq, Vhost};
use tokio::sync::Notify;

use super::item::{ItemAdded, ItemChanged, ItemEvent, ItemViewed};
use crate::{
    error::Error,
    message_keys::{PUBLIC_KEYS, write_keys},
    services::{RunningTask, connect},
};

/// Timeout until the last effect.
const TIMEOUT: Duration = Duration::from_mins(5);

/// The two services, not started yet.
pub(super) struct Harness {
    pub(super) vhost: Vhost,
    pub(super) publisher: Outbox,
    consumer: Outbox,
    pub(super) effects: Arc<EffectLog>,
    /// The sequence number of the last event of each key before the bench.
    last_known: i64,
    /// Dropped last: the pools use them.
    _databases: [Database; 2],
}

/// Counts committed effects and records their times.
#[derive(Debug)]
pub(super) struct EffectLog {
    count: AtomicU64,
    changed: Notify,
    /// The time of each event's effect, by number.
    times: Vec<OnceLock<Instant>>,
}

impl EffectLog {
    fn new(timed: usize) -> Self {
        let times = (0..timed).map(|_| OnceLock::new()).collect();
        Self { count: AtomicU64::new(0), changed: Notify::new(), times }
    }

    fn record(&self, numbers: &[u64]) {
        let now = Instant::now();
        for number in numbers {
            let index = usize::try_from(*number).ok();
            if let Some(time) = index.and_then(|index| self.times.get(index)) {
                time.get_or_init(|| now);
            }
        }
        self.count.fetch_add(u64::try_from(numbers.len()).unwrap_or_default(), Ordering::SeqCst);
        self.changed.notify_one();
    }

    /// The number of effects so far.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// The time of the effect of event `number`.
    pub(super) fn time_of(&self, number: usize) -> Option<Instant> {
        self.times.get(number)?.get().copied()
    }

    /// Waits until there are `wanted` effects.
    pub(super) async fn wait_for(&self, wanted: u64) -> Result<(), Error> {
        let waiting = async {
            while self.count() < wanted {
                self.changed.notified().await;
            }
        };
        let late = |_| Error::Timeout("all events have taken effect");
        tokio::time::timeout(TIMEOUT, waiting).await.map_err(late)
    }
}

/// Simulated handler failures: one event in a thousand always fails, one in a hundred fails at the first
/// attempt.
#[derive(Debug, Default)]
pub(super) struct FaultyEvents {
    attempted: Mutex<HashSet<u64>>,
}

impl FaultyEvents {
    /// Whether this event always fails.
    pub(super) const fn is_poison(number: u64) -> bool {
        number % 1_000 == 17
    }

    /// Whether this event fails at least once.
    pub(super) const fn is_faulty(number: u64) -> bool {
        Self::is_poison(number) || number % 100 == 3
    }

    /// The failure of this attempt, if any.
    fn failure(&self, number: u64) -> Option<HandlerFailure> {
        if Self::is_poison(number) {
            return Some(HandlerFailure::reject("poison", "this event always fails"));
        }
        let mut attempted = self.attempted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = Self::is_faulty(number) && attempted.insert(number);
        is_first.then(|| HandlerFailure::retry("fails at the first attempt"))
    }
}

/// Inserts each event in the kit's transaction. A duplicate effect violates the primary key.
struct RecordEffects<E> {
    effects: Arc<EffectLog>,
    faults: Option<Arc<FaultyEvents>>,
    event: PhantomData<fn() -> E>,
}

impl<E: ItemEvent> Handler for RecordEffects<E> {
    type Event = E;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<E>,
    ) -> Result<(), HandlerFailure> {
        let numbers: Vec<u64> = batch.delivered().iter().map(|one| one.event.number()).collect();
        if let Some(faults) = &self.faults {
            for (index, number) in numbers.iter().enumerate() {
                if let Some(failure) = faults.failure(*number) {
                    batch.fail(index, failure);
                }
            }
        }
        let delivered = batch.delivered();
        let items: Vec<String> = delivered.iter().map(|one| one.event.key().into_owned()).collect();
        let sequences: Vec<i64> = delivered.iter().map(|one| one.sequence).collect();
        sqlx::query(
            "insert into effect (item, sequence) select * from unnest($1::text[], $2::bigint[])",
        )
        .bind(items)
        .bind(sequences)
        .execute(&mut **tx)
        .await?;
        let effects = self.effects.clone();
        tx.after_commit(move || effects.record(&numbers));
        Ok(())
    }
}

impl Harness {
    /// Creates both services; the times of the first `timed` effects are recorded.
    pub(super) async fn open(timed: usize) -> Result<Self, Error> {
        let vhost = Vhost::create().await?;
        let databases =
            [Database::migrated(&[&MIGRATOR]).await?, Database::migrated(&[&MIGRATOR]).await?];
        Self::with(vhost, databases, timed, 0).await
    }

    /// Creates both services on private servers. The caller inserts their keys, each with one event before the bench.
    pub(super) async fn open_with_known_keys(
        postgres: &Postgres,
        rabbitmq: &RabbitMq,
    ) -> Result<Self, Error> {
        let database = async || Database::migrated_in(postgres, &[&MIGRATOR]).await;
        let databases = [database().await?, database().await?];
        Self::with(Vhost::create_in(rabbitmq).await?, databases, 0, 1).await
    }

    async fn with(
        vhost: Vhost,
        databases: [Database; 2],
        timed: usize,
        last_known: i64,
    ) -> Result<Self, Error> {
        let [publisher, consumer] = &databases;
        publisher.run("create table item (id text primary key, version bigint not null)").await?;
        consumer
            .run("create table effect (item text, sequence bigint, primary key (item, sequence))")
            .await?;
        let harness = Self {
            publisher: Outbox::new(connect(publisher).await?),
            consumer: Outbox::new(connect(consumer).await?),
            effects: Arc::new(EffectLog::new(timed)),
            last_known,
            vhost,
            _databases: databases,
        };
        for topology in [publisher_topology(), harness.consumer_topology(None)] {
            messaging::declare(harness.vhost.url(), &topology).await?;
        }
        Ok(harness)
    }

    /// Both services sign their messages, and refuse others. Their keys are written to a folder.
    pub(super) fn signed(self, keys: &Path) -> Result<Self, Error> {
        let [publisher, consumer] = ["publisher", "consumer"]
            .map(|service| Ok::<_, Error>((service, write_keys(keys, service)?)));
        let open = |(service, private): (&'static str, PathBuf)| {
            let public = keys.join(PUBLIC_KEYS);
            Ok::<_, Error>(Signatures::open(service, Some(&private), Some(&public))?)
        };
        let (publisher, consumer) = (open(publisher?)?, open(consumer?)?);
        Ok(Self {
            publisher: self.publisher.with_signatures(publisher),
            consumer: self.consumer.with_signatures(consumer),
            ..self
        })
    }

    fn consumer_topology(&self, faults: Option<&Arc<FaultyEvents>>) -> Topology {
        let on_reject = if faults.is_some() { OnReject::Continue } else { OnReject::BlockKey };
        let subscription = Subscription::to(ItemAdded::AGGREGATE, ["publisher"], on_reject)
            .on(self.record_effects::<ItemAdded>(faults))
            .on(self.record_effects::<ItemChanged>(faults))
            .on(self.record_effects::<ItemViewed>(faults));
        Topology::new("consumer").subscribes(subscription)
    }

    fn record_effects<E: ItemEvent>(&self, faults: Option<&Arc<FaultyEvents>>) -> RecordEffects<E> {
        let (effects, faults) = (self.effects.clone(), faults.cloned());
        RecordEffects { effects, faults, event: PhantomData }
    }

    /// The database of the consumer.
    pub(super) const fn consumer_pool(&self) -> &sqlx::PgPool {
        self.consumer.pool()
    }

    /// Starts the publisher's relay.
    pub(super) fn start_relay(&self) -> RunningTask {
        let messaging =
            MessagingRuntime::new(self.publisher.clone(), self.vhost.url(), publisher_topology());
        RunningTask::start(|stop| messaging.relay(stop))
    }

    /// Starts the consumer.
    pub(super) fn start_consumer(&self) -> RunningTask {
        self.consume(self.consumer_topology(None))
    }

    /// Starts the consumer with handlers that fail at times.
    pub(super) fn start_faulty_consumer(&self) -> RunningTask {
        self.consume(self.consumer_topology(Some(&Arc::default())))
    }

    fn consume(&self, topology: Topology) -> RunningTask {
        let messaging = MessagingRuntime::new(self.consumer.clone(), self.vhost.url(), topology);
        RunningTask::start(|stop| messaging.consume(stop))
    }

    /// Asserts that every key has the effects 1, 2, 3 … without a gap, after those before the bench, and that there are
    /// `published` in all.
    pub(super) async fn assert_complete(&self, published: u64) -> Result<(), Error> {
        let (effects, gaps): (i64, i64) = sqlx::query_as(
            "select coalesce(sum(number), 0)::bigint, count(*) filter (where number <> last)
             from (select count(*) as number, max(sequence) - $1 as last from effect group by item) of_key",
        )
        .bind(self.last_known)
        .fetch_one(self.consumer.pool())
        .await?;
        if gaps == 0 && u64::try_from(effects) == Ok(published) {
            return Ok(());
        }
        Err(Error::Inconsistent(format!(
            "{published} events, {effects} effects, {gaps} keys with gaps"
        )))
    }
}

fn publisher_topology() -> Topology {
    Topology::new("publisher")
        .publishes::<ItemAdded>()
        .publishes::<ItemChanged>()
        .publishes::<ItemViewed>()
}
