//! Two services on databases and a vhost of their own: `speaker` says events, `listener` writes down what took effect.

use std::{
    collections::HashSet,
    marker::PhantomData,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use contracts::Event as _;
use messaging::{
    Batch, Failure as HandlerFailure, Handler, Kit, MIGRATOR, Messaging, OnReject, Subscription,
    Topology, Transaction,
};
use testkit::{Database, Vhost};
use tokio::sync::Notify;

use super::item::{About, Added, Changed, Seen};
use crate::{
    bench::services::{Running, connect},
    failure::Failure,
};

/// How long a bench may wait for its last effect.
const DEADLINE: Duration = Duration::from_mins(5);

/// The two services, not running yet.
pub(super) struct Stage {
    pub(super) vhost: Vhost,
    pub(super) speaker: Kit,
    listener: Kit,
    pub(super) witness: Arc<Witness>,
    /// Dropped last, with what is in them.
    _databases: [Database; 2],
}

/// Sees which effects have been committed, and when.
#[derive(Debug)]
pub(super) struct Witness {
    seen: AtomicU64,
    more: Notify,
    /// When each number took effect.
    at: Vec<OnceLock<Instant>>,
}

impl Witness {
    fn new(timed: usize) -> Self {
        let at = (0..timed).map(|_| OnceLock::new()).collect();
        Self { seen: AtomicU64::new(0), more: Notify::new(), at }
    }

    fn saw(&self, numbers: &[u64]) {
        let now = Instant::now();
        for number in numbers {
            if let Some(at) = usize::try_from(*number).ok().and_then(|number| self.at.get(number)) {
                at.get_or_init(|| now);
            }
        }
        self.seen.fetch_add(u64::try_from(numbers.len()).unwrap_or_default(), Ordering::SeqCst);
        self.more.notify_one();
    }

    /// How many effects there are by now.
    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }

    /// When event `number` took effect.
    pub(super) fn at(&self, number: usize) -> Option<Instant> {
        self.at.get(number)?.get().copied()
    }

    /// Waits until there are `wanted` effects.
    pub(super) async fn wait_for(&self, wanted: u64) -> Result<(), Failure> {
        let waiting = async {
            while self.seen() < wanted {
                self.more.notified().await;
            }
        };
        let late = |_| Failure::Late("all events have taken effect");
        tokio::time::timeout(DEADLINE, waiting).await.map_err(late)
    }
}

/// What events do to their handler: one in a thousand can never be handled, one in a hundred not at the first try.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// What has been tried before.
    tried: Mutex<HashSet<u64>>,
}

impl Trouble {
    /// Whether this event can never be handled.
    pub(super) const fn is_poison(number: u64) -> bool {
        number % 1_000 == 17
    }

    /// Whether this event makes any trouble.
    pub(super) const fn is_made_by(number: u64) -> bool {
        Self::is_poison(number) || number % 100 == 3
    }

    /// How the handling of this event fails now, if it does.
    fn failure(&self, number: u64) -> Option<HandlerFailure> {
        if Self::is_poison(number) {
            return Some(HandlerFailure::reject("poison", "nobody can handle this"));
        }
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = Self::is_made_by(number) && tried.insert(number);
        is_first.then(|| HandlerFailure::retry("not at the first try"))
    }
}

/// Writes each event down, in the kit's transaction. A doubled effect breaks the table's key.
struct WriteDown<E> {
    witness: Arc<Witness>,
    trouble: Option<Arc<Trouble>>,
    event: PhantomData<fn() -> E>,
}

impl<E: About> Handler for WriteDown<E> {
    type Event = E;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<E>,
    ) -> Result<(), HandlerFailure> {
        let numbers: Vec<u64> = batch.delivered().iter().map(|one| one.event.number()).collect();
        if let Some(trouble) = &self.trouble {
            for (index, number) in numbers.iter().enumerate() {
                if let Some(failure) = trouble.failure(*number) {
                    batch.refuse(index, failure);
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
        let witness = self.witness.clone();
        tx.after_commit(move || witness.saw(&numbers));
        Ok(())
    }
}

impl Stage {
    /// Both services, prepared; the witness notes the times of the first `timed` events.
    pub(super) async fn open(timed: usize) -> Result<Self, Failure> {
        let vhost = Vhost::create().await?;
        let databases =
            [Database::migrated(&[&MIGRATOR]).await?, Database::migrated(&[&MIGRATOR]).await?];
        let [speaker, listener] = &databases;
        speaker.run("create table item (id text primary key, version bigint not null)").await?;
        listener
            .run("create table effect (item text, sequence bigint, primary key (item, sequence))")
            .await?;
        let stage = Self {
            speaker: Kit::new(connect(speaker).await?),
            listener: Kit::new(connect(listener).await?),
            witness: Arc::new(Witness::new(timed)),
            vhost,
            _databases: databases,
        };
        for topology in [speaker_topology(), stage.listener_topology(None)] {
            messaging::declare(stage.vhost.url(), &topology).await?;
        }
        Ok(stage)
    }

    fn listener_topology(&self, trouble: Option<&Arc<Trouble>>) -> Topology {
        let on_reject = if trouble.is_some() { OnReject::GoOn } else { OnReject::BlockKey };
        let subscription = Subscription::to(Added::AGGREGATE, ["speaker"], on_reject)
            .on(self.write_down::<Added>(trouble))
            .on(self.write_down::<Changed>(trouble))
            .on(self.write_down::<Seen>(trouble));
        Topology::of("listener").hears(subscription)
    }

    fn write_down<E: About>(&self, trouble: Option<&Arc<Trouble>>) -> WriteDown<E> {
        let (witness, trouble) = (self.witness.clone(), trouble.cloned());
        WriteDown { witness, trouble, event: PhantomData }
    }

    /// Starts the relay of the speaker.
    pub(super) fn speak(&self) -> Running {
        let messaging = Messaging::new(self.speaker.clone(), self.vhost.url(), speaker_topology());
        Running::start(|stop| messaging.relay(stop))
    }

    /// Starts the consumers of the listener.
    pub(super) fn listen(&self) -> Running {
        self.consume(self.listener_topology(None))
    }

    /// The same, whose handlers are in trouble.
    pub(super) fn listen_in_trouble(&self) -> Running {
        self.consume(self.listener_topology(Some(&Arc::default())))
    }

    fn consume(&self, topology: Topology) -> Running {
        let messaging = Messaging::new(self.listener.clone(), self.vhost.url(), topology);
        Running::start(|stop| messaging.consume(stop))
    }

    /// Every key has the effects 1, 2, 3 … without a gap, as many as were said.
    pub(super) async fn assert_sound(&self, said: u64) -> Result<(), Failure> {
        let (effects, gaps): (i64, i64) = sqlx::query_as(
            "select coalesce(sum(number), 0)::bigint, count(*) filter (where number <> last)
             from (select count(*) as number, max(sequence) as last from effect group by item) of_key",
        )
        .fetch_one(self.listener.pool())
        .await?;
        if gaps == 0 && u64::try_from(effects) == Ok(said) {
            return Ok(());
        }
        Err(Failure::Unsound(format!("{said} events, {effects} effects, {gaps} keys with gaps")))
    }
}

fn speaker_topology() -> Topology {
    Topology::of("speaker").says::<Added>().says::<Changed>().says::<Seen>()
}
