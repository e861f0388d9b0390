//! The transaction: the only way to publish an event.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use envelope::{
    Event, EventId, Priority, Slot, fits_attribute,
    trace::{self, TraceContext},
};
use sqlx::{PgConnection, PgPool, Postgres};

use super::{pending_event::PendingEvent, table, waker::RelayWaker, write_guard::WriteGuard};
use crate::error::{Error, causes};

/// The most bytes of one event: far below the message size limit of RabbitMQ.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// A database transaction that can emit events: they are published if, and only if, it commits. Dropping it without
/// [`commit`](Transaction::commit) rolls it back.
///
/// It dereferences to the [`PgConnection`] on which queries run.
pub struct Transaction {
    inner: sqlx::Transaction<'static, Postgres>,
    pool: PgPool,
    waker: RelayWaker,
    write_guard: Option<WriteGuard>,
    priority: Priority,
    pending: Vec<PendingEvent>,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
}

impl Transaction {
    /// Begins a transaction. After its commit, `waker` wakes the relay.
    pub(super) async fn begin(
        pool: &PgPool,
        waker: &RelayWaker,
        write_guard: Option<&WriteGuard>,
    ) -> Result<Self, Error> {
        waker.activity().record();
        let mut inner = pool.begin().await?;
        if let Some(write_guard) = write_guard {
            write_guard.enter(&mut inner).await?;
        }
        Ok(Self {
            inner,
            pool: pool.clone(),
            waker: waker.clone(),
            write_guard: write_guard.cloned(),
            priority: Priority::default(),
            pending: Vec::new(),
            after_commit: Vec::new(),
        })
    }

    /// Publishes `event` when the transaction commits. Consumers receive the events of one key in the order of these calls.
    ///
    /// The event belongs to the trace of the running task, see [`trace::current`].
    ///
    /// Fails if the event cannot be encoded, exceeds 1 MiB with its key, or has a key longer than 512 bytes or with a NUL.
    pub fn emit<E: Event>(&mut self, event: &E) -> Result<EventId, Error> {
        self.emit_caused_by(trace::current(), event)
    }

    /// Like [`emit`](Self::emit), but in the trace of `cause`: each event of a batch has a cause of its own.
    pub fn emit_caused_by<E: Event>(
        &mut self,
        cause: Option<TraceContext>,
        event: &E,
    ) -> Result<EventId, Error> {
        let (id, key) = (EventId::new(), event.key().into_owned());
        let data = serde_json::to_string(event)?;
        if !fits_attribute(&key) {
            return Err(Error::InvalidKey { kind: E::TYPE, key });
        }
        if data.len() + key.len() > MAX_EVENT_BYTES {
            return Err(Error::TooLarge { kind: E::TYPE, bytes: data.len() });
        }
        self.pending.push(PendingEvent {
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

    /// Sets the priority of the events emitted from now on.
    ///
    /// It does not change the order for sequenced subscriptions. Those with priority classes process bulk work last, see
    /// [`Dispatch::PriorityClasses`](crate::Dispatch::PriorityClasses).
    pub const fn set_priority(&mut self, priority: Priority) {
        self.priority = priority;
    }

    /// Runs `action` after the commit, and never without one: to wake tasks of this process that wait for the effect. It must not
    /// block.
    pub fn after_commit(&mut self, action: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(action));
    }

    /// Commits the changes and publishes the events.
    ///
    /// If it fails because the connection broke, the transaction may have committed. Check before you retry for a client, or the
    /// events are published twice.
    pub async fn commit(mut self) -> Result<(), Error> {
        if self.pending.is_empty() {
            // PostgreSQL answers the commit of a failed transaction with a rollback and no error; this statement detects it.
            sqlx::query_scalar!("select 1").fetch_one(&mut *self.inner).await?;
        }
        self.commit_verified().await
    }

    /// Commits without the check of [`commit`](Self::commit). The caller must have executed a statement successfully after any
    /// foreign code used the transaction, so an earlier failure cannot go unnoticed.
    pub(crate) async fn commit_verified(mut self) -> Result<(), Error> {
        if let Some(write_guard) = &self.write_guard {
            write_guard.leave(&mut self.inner).await?;
            return Ok(self.inner.commit().await?);
        }
        // The events are numbered last, so the locks on their sequences are held for one round trip only.
        if !self.pending.is_empty() {
            table::append(&mut self.inner, &self.pending).await?;
        }
        // Before the commit: its result may be unknown, and then nothing else tells that there may be events.
        self.waker.activity().record();
        self.inner.commit().await?;
        if !self.pending.is_empty() {
            self.waker.after_commit(&self.pool);
        }
        for action in self.after_commit {
            action();
        }
        Ok(())
    }

    /// The events emitted so far.
    pub(crate) fn pending(&self) -> &[PendingEvent] {
        &self.pending
    }

    /// Rolls the transaction back. If the database does not answer, it rolls back by itself when the connection ends.
    pub(crate) async fn rollback(self) {
        if let Err(error) = self.inner.rollback().await {
            tracing::debug!(causes = ?causes(&error), "failed to roll back a transaction");
        }
    }

    /// Discards all emitted events but the first `number`.
    pub(crate) fn truncate_pending(&mut self, number: usize) {
        self.pending.truncate(number);
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("pending", &self.pending).finish_non_exhaustive()
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
