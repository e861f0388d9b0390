//! The handle to the outbox.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use sqlx::{PgPool, migrate::Migrator, postgres::PgConnectOptions};
use tokio::sync::watch;
use uuid::Uuid;

use super::{
    admission::Criticality,
    backpressure::{Backpressure, BackpressureState, Overloaded},
    transaction::Transaction,
    waker::RelayWaker,
    write_guard::WriteGuard,
};
use crate::{
    activity::Activity,
    error::Error,
    queue_metrics::{QueueReport, StatsRegistry},
    signatures::Signatures,
};

/// Creates and updates the tables in the schema `messaging` of the service's database.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// The session settings of [`with_session_timeouts`].
const SESSION_SETTINGS: [(&str, &str); 4] = [
    // A transaction that idles longer belongs to a hanging process, and its locks block the other instances.
    ("idle_in_transaction_session_timeout", "5s"),
    ("lock_timeout", "10s"),
    // When a handler times out, its rollback waits for its current statement, which nothing else cancels.
    ("statement_timeout", "30s"),
    // JIT compilation takes a fifth of a second, and no statement here benefits. The planner overestimates tables that are new to it.
    ("jit", "off"),
];

/// Adds session settings that protect other instances of the service from a hanging process. PostgreSQL aborts transactions after
/// five idle seconds, lock waits after ten seconds, and statements after thirty. JIT compilation is off.
///
/// For the pool of an [`Outbox`]. Do not use it for migrations: they may take longer.
#[must_use]
pub fn with_session_timeouts(options: PgConnectOptions) -> PgConnectOptions {
    options.options(SESSION_SETTINGS)
}

/// Begins transactions that can emit events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbox {
    pool: PgPool,
    /// The replica that this process is, once its messaging runs.
    replica: Arc<OnceLock<Uuid>>,
    waker: RelayWaker,
    parking_signal: Arc<watch::Sender<()>>,
    backpressure: Backpressure,
    stats: StatsRegistry,
    signatures: Signatures,
    /// In a replay: restricts the effects of its transactions to the shadow tables.
    write_guard: Option<WriteGuard>,
}

impl Outbox {
    /// Creates the outbox on the service's database.
    ///
    /// Create one per process and clone it: clones share the wake-ups of the relay, the backpressure state and the queue metrics.
    /// The pool should use [`with_session_timeouts`].
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            replica: Arc::default(),
            waker: RelayWaker::new(Activity::new()),
            parking_signal: Arc::new(watch::Sender::new(())),
            backpressure: Backpressure::new(),
            stats: StatsRegistry::new(),
            signatures: Signatures::none(),
            write_guard: None,
        }
    }

    /// Sets the keys with which this process signs messages, and checks those that it receives. Without them it does neither.
    #[must_use]
    pub fn with_signatures(self, signatures: Signatures) -> Self {
        Self { signatures, ..self }
    }

    /// Creates an outbox for a replay. Its transactions write to the shadow tables only, emit nothing, and skip the actions after
    /// the commit: all of that happened when the events were first handled.
    pub(crate) fn in_shadow(pool: PgPool, write_guard: WriteGuard) -> Self {
        Self { write_guard: Some(write_guard), ..Self::new(pool) }
    }

    /// The service's database, for reads.
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Transaction, Error> {
        Transaction::begin(&self.pool, &self.waker, self.write_guard.as_ref()).await
    }

    /// Checks whether the outbox accepts a write of this criticality. Call it before you begin a transaction for a request.
    ///
    /// Event handlers must not call it: the events that they emit are never refused. Every write is accepted unless
    /// [`MessagingRuntime::relay`](crate::MessagingRuntime::relay) runs in this process.
    pub fn admit(&self, criticality: Criticality) -> Result<(), Overloaded> {
        self.backpressure.admit(criticality)
    }

    /// Waits for `interval`: for loops that look for what other processes have written.
    ///
    /// While this process rests it waits longer: up to 15 seconds, or until a transaction of this process, or until another replica
    /// joins. It rests when no other replica of the service lives and nothing has happened for five seconds.
    pub async fn pause(&self, interval: Duration) {
        self.activity().pause(interval).await;
    }

    /// The fill level of the outbox and the writes that it refuses, now and after every change.
    pub fn backpressure(&self) -> watch::Receiver<BackpressureState> {
        self.backpressure.watch()
    }

    /// Metrics of the outbox, and of the queues that this process consumes.
    pub fn queue_report(&self) -> QueueReport {
        self.stats.report()
    }

    /// The replica that this process is: what it holds is free as soon as its database sessions end.
    pub(crate) fn replica(&self) -> Option<Uuid> {
        self.replica.get().copied()
    }

    /// A new replica. The first one of an outbox is the process.
    pub(crate) fn new_replica(&self) -> Uuid {
        let replica = Uuid::new_v4();
        // A further runtime on this outbox is a replica of its own, as in tests.
        let _ = self.replica.set(replica);
        replica
    }

    /// The keys of the messages of this process.
    pub const fn signatures(&self) -> &Signatures {
        &self.signatures
    }

    pub(crate) const fn stats(&self) -> &StatsRegistry {
        &self.stats
    }

    pub(super) const fn backpressure_handle(&self) -> &Backpressure {
        &self.backpressure
    }

    /// Wakes the consumers of this process when parked events may proceed.
    pub(crate) fn parking_signal(&self) -> &watch::Sender<()> {
        &self.parking_signal
    }

    pub(crate) const fn waker(&self) -> &RelayWaker {
        &self.waker
    }

    pub(crate) fn activity(&self) -> &Activity {
        self.waker.activity()
    }
}
