//! Wakes the relay after a commit: directly in the leading process, by `NOTIFY` from all others.
//!
//! A `NOTIFY` in every business transaction would cost a quarter to a half of the write throughput, because such commits are
//! serialised. So it is sent after the commit, on a separate connection, once for all commits of some milliseconds, and only by
//! processes that do not lead. A lost notification is harmless: the relay also polls.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use sqlx::{
    Acquire as _, Connection as _, PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    activity::Activity,
    error::{Error, causes, with_timeout},
    retry,
};

/// The `NOTIFY` channel.
pub(crate) const CHANNEL: &str = "messaging_committed";

/// How long commits after a notification are collected for the next one.
const COALESCE_DELAY: Duration = Duration::from_millis(5);

/// The timeout of `LISTEN` and `NOTIFY`.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// After this time without a notification the listener pings the server, because the connection may be dead.
const PING_AFTER_SILENCE: Duration = Duration::from_secs(15);

/// No task of this process sends notifications.
const IDLE: u8 = 0;
/// A task is running and has notified of all commits so far.
const NOTIFIED: u8 = 1;
/// A task is running and must notify once more.
const DIRTY: u8 = 2;

/// Wakes the relay after commits. Clones share their state.
#[derive(Debug, Clone)]
pub(crate) struct RelayWaker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    activity: Activity,
    committed: Notify,
    is_leading: AtomicBool,
    notifier: AtomicU8,
}

impl RelayWaker {
    /// A waker that records commits in `activity`.
    pub(super) fn new(activity: Activity) -> Self {
        Self(Arc::new(Inner {
            activity,
            committed: Notify::new(),
            is_leading: AtomicBool::new(false),
            notifier: AtomicU8::new(IDLE),
        }))
    }

    pub(crate) fn activity(&self) -> &Activity {
        &self.0.activity
    }

    /// Fires after a commit with events: in this process or, while it leads, in any other.
    pub(crate) fn committed(&self) -> &Notify {
        &self.0.committed
    }

    /// Records whether the relay of this process leads.
    pub(crate) fn set_leading(&self, is_leading: bool) {
        self.0.is_leading.store(is_leading, Ordering::Relaxed);
    }

    pub(crate) fn is_leading(&self) -> bool {
        self.0.is_leading.load(Ordering::Relaxed)
    }

    /// To be called after the commit of a transaction with events.
    pub(crate) fn after_commit(&self, pool: &PgPool) {
        self.0.committed.notify_one();
        if !self.is_leading() {
            self.notify_others(pool);
        }
    }

    /// Wakes the leading relay, and ends the rest of its process.
    pub(crate) fn notify_others(&self, pool: &PgPool) {
        if self.0.notifier.swap(DIRTY, Ordering::AcqRel) == IDLE {
            let (waker, pool) = (self.clone(), pool.clone());
            #[expect(
                clippy::disallowed_methods,
                reason = "shutdown need not wait for it: the relay also polls"
            )]
            tokio::spawn(async move { waker.notify_leader(&pool).await });
        }
    }

    /// Notifies until all commits are covered.
    async fn notify_leader(&self, pool: &PgPool) {
        loop {
            self.0.notifier.store(NOTIFIED, Ordering::Release);
            if let Err(error) = notify(pool).await {
                tracing::debug!(causes = ?causes(&error), "failed to notify the relay; it polls");
            }
            tokio::time::sleep(COALESCE_DELAY).await;
            let is_done = self.0.notifier.compare_exchange(
                NOTIFIED,
                IDLE,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            if is_done.is_ok() {
                return;
            }
        }
    }

    /// Listens for commits of other processes until the returned set is dropped.
    pub(crate) fn listen(&self, pool: &PgPool) -> JoinSet<()> {
        let (waker, pool) = (self.clone(), pool.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { waker.listen_forever(&pool).await });
        tasks
    }

    async fn listen_forever(&self, pool: &PgPool) {
        let mut attempt = 0;
        loop {
            let Err(error) = self.listen_until_error(pool, &mut attempt).await;
            attempt += 1;
            tracing::debug!(causes = ?causes(&error), "lost the commit notifications; retrying");
            tokio::time::sleep(retry::backoff(attempt)).await;
        }
    }

    async fn listen_until_error(
        &self,
        pool: &PgPool,
        attempt: &mut u32,
    ) -> Result<std::convert::Infallible, Error> {
        let mut listener = listener(pool).await?;
        let _listening = self.0.activity.listening();
        *attempt = 0;
        loop {
            // Also after a (re)connect: notifications sent before it are lost.
            self.0.activity.record();
            self.0.committed.notify_one();
            loop {
                match tokio::time::timeout(PING_AFTER_SILENCE, listener.try_recv()).await {
                    Ok(received) => break drop(received?),
                    // A connection that died without an error would stay silent for ever.
                    Err(_) => ping(&mut listener).await?,
                }
            }
        }
    }
}

/// A listener on a connection of its own: one from the pool would be missing there permanently.
async fn listener(pool: &PgPool) -> Result<PgListener, Error> {
    with_timeout("listening to other processes", REPLY_TIMEOUT, async {
        let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let own = own.connect_lazy_with((*pool.connect_options()).clone());
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen(CHANNEL).await?;
        Ok::<_, sqlx::Error>(listener)
    })
    .await
}

async fn ping(listener: &mut PgListener) -> Result<(), Error> {
    with_timeout("pinging the server", REPLY_TIMEOUT, async {
        listener.acquire().await?.ping().await
    })
    .await
}

async fn notify(pool: &PgPool) -> Result<(), Error> {
    with_timeout("notifying the relay", REPLY_TIMEOUT, async {
        sqlx::query_scalar!(r#"select pg_notify($1, '')::text as "notified""#, CHANNEL)
            .fetch_one(pool)
            .await
    })
    .await
    .map(drop)
}
