//! The kit's transaction: the only way to say an event.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use envelope::{
    Event, EventId, Priority, Slot, fits_attribute,
    trace::{self, TraceContext},
};
use sqlx::{PgConnection, PgPool, Postgres, migrate::Migrator, postgres::PgConnectOptions};
use tokio::sync::watch;

use crate::{
    Error,
    error::causes,
    outbox,
    pressure::{BackpressureState, Criticality, Gauge, Overloaded},
    queues::{Meters, QueueReport},
    replay::shadow::Walls,
    wake::Wake,
};

/// The kit's own tables, in the schema `messaging` of the service's database.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// What [`with_session_timeouts`] connections are opened with.
const GUARDS: [(&str, &str); 4] = [
    // One that rests longer belongs to a process that hangs, and what it has locked keeps the other instances waiting.
    ("idle_in_transaction_session_timeout", "5s"),
    ("lock_timeout", "10s"),
    // A handler that is given up is rolled back behind its statement, which nobody else ends.
    ("statement_timeout", "30s"),
    // Compiling a statement takes a fifth of a second, and none of ours runs for so long: the planner thinks so of tables that are
    // new to it.
    ("jit", "off"),
];

/// Connections like these, with limits that keep a process which hangs from stopping the other instances of its service: a
/// transaction may rest for five seconds, a statement waits ten for a lock and takes thirty at most. And statements are not
/// compiled.
///
/// For the pool that a [`Outbox`] is made of; migrations take as long as they take.
#[must_use]
pub fn with_session_timeouts(options: PgConnectOptions) -> PgConnectOptions {
    options.options(GUARDS)
}

// temporary alias
#[doc(hidden)]
#[must_use]
pub fn guarded(options: PgConnectOptions) -> PgConnectOptions {
    with_session_timeouts(options)
}

/// The most bytes of one event: far below what RabbitMQ takes in one message.
const LARGEST_EVENT: usize = 1024 * 1024;

/// A service's handle on messaging: transactions that can say events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    pool: PgPool,
    wake: Wake,
    unparked: Arc<watch::Sender<()>>,
    gauge: Gauge,
    meters: Meters,
    /// In a replay, what keeps its transactions from having any effect outside its shadow.
    walls: Option<Walls>,
}

impl Outbox {
    /// A kit on the service's database. One for each process: all others are clones of it, for they share what wakes the relay, how full
    /// the outbox is and how the queues fare. The pool is best one of [`with_session_timeouts`] connections.
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            wake: Wake::default(),
            unparked: Arc::new(watch::Sender::new(())),
            gauge: Gauge::new(),
            meters: Meters::new(),
            walls: None,
        }
    }

    /// A kit whose transactions see the tables of a shadow, and change nothing else: no event leaves, and no action runs
    /// after their commit. For what is replayed was said and done the first time.
    pub(crate) fn in_shadow(pool: PgPool, walls: Walls) -> Self {
        Self { walls: Some(walls), ..Self::new(pool) }
    }

    /// The service's database, for what only reads.
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Starts a transaction.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        let mut inner = self.pool.begin().await?;
        if let Some(walls) = &self.walls {
            walls.enter(&mut inner).await?;
        }
        Ok(Transaction {
            inner,
            outbox: self.clone(),
            priority: Priority::default(),
            said: Vec::new(),
            after_commit: Vec::new(),
        })
    }

    /// Whether a write of this criticality may be taken: to be asked before a transaction that says events is begun on somebody's
    /// behalf. Handlers of events never ask, for what an event causes is never refused.
    ///
    /// Everything is taken as long as [`MessagingRuntime::relay`](crate::MessagingRuntime::relay) does not run in this process.
    pub fn admit(&self, criticality: Criticality) -> Result<(), Overloaded> {
        self.gauge.admit(criticality)
    }

    /// How full the outbox is and what is refused for it, now and whenever it changes.
    pub fn backpressure(&self) -> watch::Receiver<BackpressureState> {
        self.gauge.watch()
    }

    /// How the queues of the service fare, as far as this process consumes them, and its outbox.
    pub fn queue_report(&self) -> QueueReport {
        self.meters.report()
    }

    // temporary alias
    #[doc(hidden)]
    pub fn pressure(&self) -> watch::Receiver<BackpressureState> {
        self.backpressure()
    }

    // temporary alias
    #[doc(hidden)]
    pub fn queues(&self) -> QueueReport {
        self.queue_report()
    }

    /// Where queues are measured.
    pub(crate) const fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Where the pressure is written down.
    pub(crate) const fn gauge(&self) -> &Gauge {
        &self.gauge
    }

    /// Wakes the consumers of this process when parked events may go on.
    pub(crate) fn unparked(&self) -> &watch::Sender<()> {
        &self.unparked
    }

    /// What a commit wakes.
    pub(crate) const fn wake(&self) -> &Wake {
        &self.wake
    }
}

/// A database transaction in which events can be said: they leave if, and only if, it commits. Dropped without
/// [`commit`](Transaction::commit), it is rolled back and nothing was said.
///
/// It dereferences to the [`PgConnection`] that queries run on.
pub struct Transaction {
    inner: sqlx::Transaction<'static, Postgres>,
    outbox: Outbox,
    priority: Priority,
    said: Vec<Said>,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
}

/// An event that waits for its transaction's commit.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) id: EventId,
    pub(crate) kind: &'static str,
    pub(crate) aggregate: &'static str,
    pub(crate) key: String,
    pub(crate) slot: Slot,
    pub(crate) traceparent: Option<String>,
    pub(crate) priority: Priority,
    pub(crate) data: String,
}

impl Transaction {
    /// Says `event` when the transaction commits. Events of one key are heard in the order in which they were said.
    ///
    /// The event belongs to the trace of the running task, see [`trace::current`].
    ///
    /// It is refused if it is no JSON, larger than 1 MiB with its key, or if its key is longer than 512 bytes or holds a NUL.
    pub fn emit<E: Event>(&mut self, event: &E) -> Result<EventId, Error> {
        self.emit_caused_by(trace::current(), event)
    }

    /// Says `event` as [`emit`](Self::emit) does, as a part of the trace of what caused it: in a batch each event has a
    /// cause of its own.
    pub fn emit_caused_by<E: Event>(
        &mut self,
        cause: Option<TraceContext>,
        event: &E,
    ) -> Result<EventId, Error> {
        let (id, key) = (EventId::new(), event.key().into_owned());
        let data = serde_json::to_string(event)?;
        if !fits_attribute(&key) {
            return Err(Error::Key { kind: E::TYPE, key });
        }
        if data.len() + key.len() > LARGEST_EVENT {
            return Err(Error::TooLarge { kind: E::TYPE, bytes: data.len() });
        }
        self.said.push(Said {
            id,
            kind: E::TYPE,
            aggregate: E::AGGREGATE,
            slot: Slot::of(&key),
            key,
            traceparent: cause.map(|cause| cause.child().to_string()),
            priority: self.priority,
            data,
        });
        Ok(id)
    }

    /// Lets what is said from here on travel with `priority`. It never changes the order in which consumers with cursors hear
    /// events; those with priority lanes take bulk work behind the rest, see [`Dispatch::PriorityClasses`](crate::Dispatch::PriorityClasses).
    pub const fn set_priority(&mut self, priority: Priority) {
        self.priority = priority;
    }

    // temporary alias
    #[doc(hidden)]
    pub const fn prioritise(&mut self, priority: Priority) {
        self.set_priority(priority);
    }

    /// Runs `action` once the transaction has committed, and never if it does not: to wake what waits for its effect in
    /// this process. It must not block.
    pub fn after_commit(&mut self, action: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(action));
    }

    /// Commits, events and all.
    ///
    /// If it fails because the connection broke, it may have committed all the same: only what was refused is known not to have
    /// happened. Whoever tries again on somebody's behalf first looks whether it is done already, or says its events twice.
    pub async fn commit(mut self) -> Result<(), Error> {
        if self.said.is_empty() {
            // PostgreSQL answers the commit of a failed transaction with a rollback and no error; this statement tells.
            sqlx::query_scalar!("select 1").fetch_one(&mut *self.inner).await?;
        }
        self.commit_sound().await
    }

    /// Commits a transaction of which a statement has succeeded since any stranger had it in hands: then nothing in it can have
    /// failed unseen.
    pub(crate) async fn commit_sound(mut self) -> Result<(), Error> {
        if let Some(walls) = &self.outbox.walls {
            walls.leave(&mut self.inner).await?;
            return Ok(self.inner.commit().await?);
        }
        // The events are numbered last, so that the locks on their numbers are held for one round trip only.
        if !self.said.is_empty() {
            outbox::append(&mut self.inner, &self.said).await?;
        }
        self.inner.commit().await?;
        if !self.said.is_empty() {
            self.outbox.wake.after_commit(&self.outbox.pool);
        }
        for action in self.after_commit {
            action();
        }
        Ok(())
    }

    /// What has been said so far, and leaves with the commit.
    pub(crate) fn said(&self) -> &[Said] {
        &self.said
    }

    /// Gives up all that was done and said since the transaction began.
    ///
    /// It cannot fail: if the database does not answer, it does so by itself when it finds that nobody is there any more.
    pub(crate) async fn rollback(self) {
        if let Err(error) = self.inner.rollback().await {
            tracing::debug!(causes = ?causes(&error), "a transaction was left and not rolled back");
        }
    }

    /// Forgets what was said behind the first `number` events.
    pub(crate) fn unsay(&mut self, number: usize) {
        self.said.truncate(number);
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("said", &self.said).finish_non_exhaustive()
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.inner
    }
}
