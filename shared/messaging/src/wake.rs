//! How a commit wakes the relay: at once in its own process, and by a `NOTIFY` where another process leads.
//!
//! A `NOTIFY` in every business transaction costs a quarter to a half of the writes, for its commits stand in one line. So it is
//! sent behind the commit, on a connection of its own, once for all commits of some milliseconds, and only by processes that do
//! not lead. It may be lost: the relay's sweep finds what it did not tell.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    Error,
    error::{causes, within},
    retry,
};

/// The channel that is notified.
const CHANNEL: &str = "messaging_committed";

/// For how long commits behind a notification wait for the next one, which tells of all of them.
const GATHER: Duration = Duration::from_millis(5);

/// How long the database may take to listen or to notify.
const ANSWER: Duration = Duration::from_secs(5);

/// After how long a silence the connection is made anew, for it may be dead.
const SILENCE: Duration = Duration::from_secs(15);

/// Nobody in this process is about to notify.
const QUIET: u8 = 0;
/// Somebody is, and has told of all commits so far.
const TOLD: u8 = 1;
/// Somebody is, and must tell once more.
const UNTOLD: u8 = 2;

/// What a commit wakes. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wake(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    committed: Notify,
    leads: AtomicBool,
    telling: AtomicU8,
}

impl Wake {
    /// Wakes when a transaction with events has committed: in this process, or in another one while this one leads.
    pub(crate) fn committed(&self) -> &Notify {
        &self.0.committed
    }

    /// Says whether the relay of this process is the one that leads.
    pub(crate) fn lead(&self, leads: bool) {
        self.0.leads.store(leads, Ordering::Relaxed);
    }

    /// Whether the relay of this process leads.
    pub(crate) fn leads(&self) -> bool {
        self.0.leads.load(Ordering::Relaxed)
    }

    /// A transaction with events has committed in this process.
    pub(crate) fn after_commit(&self, pool: &PgPool) {
        self.0.committed.notify_one();
        if self.leads() {
            return;
        }
        if self.0.telling.swap(UNTOLD, Ordering::AcqRel) == QUIET {
            let (wake, pool) = (self.clone(), pool.clone());
            #[expect(
                clippy::disallowed_methods,
                reason = "nobody has to wait for it: what it does not tell is found by the sweep"
            )]
            tokio::spawn(async move { wake.tell(&pool).await });
        }
    }

    /// Notifies until all commits are told of.
    async fn tell(&self, pool: &PgPool) {
        loop {
            self.0.telling.store(TOLD, Ordering::Release);
            if let Err(error) = notify(pool).await {
                tracing::debug!(causes = ?causes(&error), "the relay was not woken, and sweeps");
            }
            tokio::time::sleep(GATHER).await;
            let told =
                self.0.telling.compare_exchange(TOLD, QUIET, Ordering::AcqRel, Ordering::Acquire);
            if told.is_ok() {
                return;
            }
        }
    }

    /// Hears what other processes tell, until the answer is dropped.
    pub(crate) fn hear_others(&self, pool: &PgPool) -> JoinSet<()> {
        let (wake, pool) = (self.clone(), pool.clone());
        let mut hearing = JoinSet::new();
        hearing.spawn(async move { wake.hear(&pool).await });
        hearing
    }

    async fn hear(&self, pool: &PgPool) {
        let mut attempt = 0;
        loop {
            let Err(error) = self.hear_on_one_connection(pool, &mut attempt).await;
            attempt += 1;
            tracing::debug!(causes = ?causes(&error), "the relay hears no other process, and tries again");
            tokio::time::sleep(retry::backoff(attempt)).await;
        }
    }

    async fn hear_on_one_connection(
        &self,
        pool: &PgPool,
        attempt: &mut u32,
    ) -> Result<std::convert::Infallible, Error> {
        let mut listener = listen(pool).await?;
        *attempt = 0;
        loop {
            // Also at first and after a lost connection: what was told meanwhile was told to nobody.
            self.0.committed.notify_one();
            match tokio::time::timeout(SILENCE, listener.try_recv()).await {
                Ok(heard) => drop(heard?),
                // A connection that is dead without having said so would stay silent for ever.
                Err(_) => listener = listen(pool).await?,
            }
        }
    }
}

/// A connection of its own that listens, for one out of the pool would be missing there for good.
async fn listen(pool: &PgPool) -> Result<PgListener, Error> {
    within("listening to other processes", ANSWER, async {
        let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let own = own.connect_lazy_with((*pool.connect_options()).clone());
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen(CHANNEL).await?;
        Ok::<_, sqlx::Error>(listener)
    })
    .await
}

async fn notify(pool: &PgPool) -> Result<(), Error> {
    within("waking the relay", ANSWER, async {
        sqlx::query_scalar!(r#"select pg_notify($1, '')::text as "told""#, CHANNEL)
            .fetch_one(pool)
            .await
    })
    .await
    .map(drop)
}
