//! Replay: rebuilds a projection beside the live one, compares both, and optionally swaps them.
//!
//! The same handlers run again, in transactions that see the tables of a [`shadow`] first: a schema with
//! empty copies of the projection's tables. Events that they emit are dropped. The input comes [from a
//! stream](from_stream) or [from snapshots](from_snapshots) of the publishers, followed by their later events
//! through temporary queues.
//!
//! At the end the live consumers are paused for a moment. The shadow catches up exactly, the tables are
//! compared (see [`comparison`]), and rows that differ are copied from the shadow to the live tables, all in
//! one transaction. Until it commits, the live projection is unchanged.

#[expect(
    clippy::disallowed_methods,
    reason = "the cursor table of a shadow exists at run time only"
)]
mod apply;
#[expect(clippy::disallowed_methods, reason = "the tables and columns are known at run time only")]
mod comparison;
mod projection;
pub(crate) mod shadow;
#[expect(clippy::disallowed_methods, reason = "the name of a shadow is known at run time only")]
mod snapshot_source;
mod stream_source;

use std::time::Duration;

use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::Instant;

pub use self::{
    comparison::TableComparison,
    projection::{Projection, Table},
    snapshot_source::{SnapshotSource, from_snapshots},
    stream_source::{StreamSource, from_stream},
};
use self::{comparison::TablePair, shadow::Shadow};
use crate::{
    error::{Cause, Error, is_unavailable},
    publish::outbox::Outbox,
};

/// How often the live consumers are paused before a replay gives up.
const MAX_PAUSES: u32 = 8;

/// The lock timeout of the first pause; each later one is longer. Other transactions queue behind the lock
/// request.
const PAUSE_TIMEOUT: Duration = Duration::from_millis(500);

/// If catching up takes less than this, the shadow is close enough for a pause.
const CLOSE_ENOUGH: Duration = Duration::from_millis(500);

/// How long a shadow may try to come close enough.
const CATCH_UP_TIMEOUT: Duration = Duration::from_mins(10);

/// How long the shadow may take to catch up during a pause.
const PAUSED_CATCH_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// What to do with the differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Report them.
    Compare,
    /// Correct the live tables.
    Swap,
}

/// The result of a replay.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayReport {
    pub projection: &'static str,
    /// Keys read from snapshots.
    pub entries: u64,
    /// Events, or messages of a stream, that were handled again.
    pub replayed: u64,
    /// Those of them that their handler rejected, as it did the first time.
    #[serde(rename = "refused")]
    pub rejected: u64,
    /// Keys whose snapshot was ahead of the live consumer: their differences may be events in flight.
    pub ahead: i64,
    pub tables: Vec<TableComparison>,
    /// The total number of wrong rows.
    pub differences: i64,
    /// Whether the live projection was corrected.
    pub swapped: bool,
    /// How long the live consumers were paused.
    pub paused_seconds: f64,
    /// The total duration.
    pub seconds: f64,
}

/// Why a replay failed. The live projection is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("this projection is being replayed already")]
    Busy,
    /// The database or the broker failed, or another replay dropped the shadow.
    #[error(transparent)]
    Messaging(#[from] Error),
    #[error("the snapshot of {aggregate} cannot be read")]
    Snapshot {
        aggregate: &'static str,
        #[source]
        source: Cause,
    },
    /// A handler rejects the state in a snapshot.
    #[error("the handler rejects the state of {key} in the snapshot of {aggregate}: {}", .causes.join(": "))]
    Rejected { aggregate: &'static str, key: String, causes: Vec<String> },
    /// A handler keeps failing over an event that it handled before.
    #[error("a handler fails repeatedly: {}", .0.join(": "))]
    HandlerFailed(Vec<String>),
    /// The live consumer has applied more events of a key than the replay received.
    #[error(
        "the live projection has applied {key} of {aggregate} up to number {live}, the replay only up to {shadow}"
    )]
    Behind {
        aggregate: String,
        key: String,
        /// The number of the last event that the live consumer has applied.
        live: i64,
        /// The number of the last event that the replay has applied.
        shadow: i64,
    },
    /// The live tables were always locked by other transactions.
    #[error("the live consumers could not be paused")]
    NoPause,
    /// Events are published faster than the replay handles them.
    #[error("the replay does not catch up with the live projection within {CATCH_UP_TIMEOUT:?}")]
    TooSlow,
    /// Rows older than the first message of the stream cannot be told apart.
    #[error("the retention removed the beginning of the stream, and the rows of {0} have no time")]
    Truncated(&'static str),
    /// The messages of the lost stream, which the live projection contains, cannot be replayed.
    #[error("the stream {0} was lost, and its reader has not read the new one yet")]
    StreamLost(&'static str),
    /// Rows without a primary key cannot be compared.
    #[error("the table {0} does not exist, or has no primary key")]
    NoPrimaryKey(&'static str),
    /// The service does not subscribe to the aggregate of a snapshot.
    #[error("there is no subscription to {0}")]
    NotSubscribed(&'static str),
}

impl From<sqlx::Error> for ReplayError {
    fn from(error: sqlx::Error) -> Self {
        Self::Messaging(error.into())
    }
}

/// The source of a replay.
trait ReplaySource {
    /// Fills the shadow with the initial state.
    async fn initialize(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
    ) -> Result<(), ReplayError>;

    /// Brings the shadow to the current state of the live projection, which continues meanwhile.
    async fn catch_up(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
    ) -> Result<(), ReplayError>;

    /// Pauses the live consumers until the transaction of `live` ends.
    async fn pause_live(&mut self, live: &mut PgConnection) -> Result<(), Error>;

    /// Brings the shadow to the state of the paused live projection. Returns whether it succeeded by
    /// `deadline`.
    async fn catch_up_paused(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
        deadline: Instant,
    ) -> Result<bool, ReplayError>;

    /// Moves the cursors of the live consumers to those of the shadow.
    async fn transfer_cursors(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
    ) -> Result<(), ReplayError>;

    /// Why the shadow does not reach the state of the live projection.
    async fn lag_reason(&mut self, shadow: &Shadow, live: &mut PgConnection) -> ReplayError;

    /// The time from which the source is complete; `None` if it always is.
    fn since(&self) -> Option<chrono::DateTime<chrono::Utc>>;

    fn counts(&self) -> ReplayCounts;
}

#[derive(Debug, Clone, Copy, Default)]
struct ReplayCounts {
    entries: u64,
    replayed: u64,
    rejected: u64,
    ahead: i64,
}

/// Rebuilds `projection` from `source`, compares, and swaps according to `mode`.
async fn run(
    outbox: &Outbox,
    projection: &Projection,
    source: &mut impl ReplaySource,
    mode: Mode,
) -> Result<ReplayReport, ReplayError> {
    let began = Instant::now();
    // A connection of its own: the advisory lock against concurrent replays ends with it.
    let options = (*outbox.pool().connect_options()).clone().options([
        ("statement_timeout", "120000"),
        ("idle_in_transaction_session_timeout", "60000"),
        ("lock_timeout", "60000"),
    ]);
    let mut live = PgConnection::connect_with(&options).await?;
    let is_locked: bool =
        sqlx::query_scalar("select pg_try_advisory_lock(hashtext('replay'), hashtext($1))")
            .bind(projection.name)
            .fetch_one(&mut live)
            .await?;
    if !is_locked {
        return Err(ReplayError::Busy);
    }
    let shadow = Shadow::create(&mut live, outbox.pool(), projection).await?;
    let outcome = rebuild(&shadow, &mut live, projection, source, mode).await;
    shadow.outbox.pool().close().await;
    // The next replay drops what could not be dropped now.
    if let Err(error) = shadow::drop_all(&mut live, projection).await {
        tracing::warn!(projection = projection.name, %error, "failed to drop the shadow of a replay");
    }
    let Outcome { tables, swapped, paused } = outcome?;
    outbox.parking_signal().send_replace(());
    let ReplayCounts { entries, replayed, rejected, ahead } = source.counts();
    Ok(ReplayReport {
        projection: projection.name,
        entries,
        replayed,
        rejected,
        ahead,
        differences: tables.iter().map(TableComparison::differences).sum(),
        tables,
        swapped,
        paused_seconds: paused.as_secs_f64(),
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// The result of the final comparison.
struct Outcome {
    tables: Vec<TableComparison>,
    swapped: bool,
    paused: Duration,
}

async fn rebuild(
    shadow: &Shadow,
    live: &mut PgConnection,
    projection: &Projection,
    source: &mut impl ReplaySource,
    mode: Mode,
) -> Result<Outcome, ReplayError> {
    let mut pairs = Vec::new();
    source.initialize(shadow, live).await?;
    for table in &projection.tables {
        pairs.push(TablePair::read(live, table, &shadow.schema, source.since()).await?);
    }
    follow_live(shadow, live, source).await?;
    let mut failed = ReplayError::NoPause;
    let mut paused = Duration::ZERO;
    for attempt in 1..=MAX_PAUSES {
        let began = Instant::now();
        let compared =
            compare_paused(shadow, live, projection, &pairs, source, mode, PAUSE_TIMEOUT * attempt);
        let compared = compared.await;
        // Waiting for the lock already blocks the live consumers behind it.
        paused += began.elapsed();
        match compared {
            Ok(tables) => return Ok(Outcome { tables, swapped: mode == Mode::Swap, paused }),
            // Transactions that hold the lock, or lost against ours, may finish first.
            Err(ReplayError::Messaging(Error::Database(error))) if is_unavailable(&error) => {
                tracing::debug!(%error, attempt, "a replay failed to pause the live consumers");
                failed = ReplayError::NoPause;
            }
            Err(behind @ ReplayError::Behind { .. }) => failed = behind,
            Err(error) => return Err(error),
        }
        follow_live(shadow, live, source).await?;
    }
    Err(failed)
}

/// Follows the live projection until the shadow is close enough for a pause.
async fn follow_live(
    shadow: &Shadow,
    live: &mut PgConnection,
    source: &mut impl ReplaySource,
) -> Result<(), ReplayError> {
    let deadline = Instant::now() + CATCH_UP_TIMEOUT;
    loop {
        let began = Instant::now();
        source.catch_up(shadow, live).await?;
        if began.elapsed() < CLOSE_ENOUGH {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(ReplayError::TooSlow);
        }
    }
}

/// Pauses the live consumers, brings the shadow up to date, compares, and swaps according to `mode`.
async fn compare_paused(
    shadow: &Shadow,
    live: &mut PgConnection,
    projection: &Projection,
    pairs: &[TablePair],
    source: &mut impl ReplaySource,
    mode: Mode,
    lock_timeout: Duration,
) -> Result<Vec<TableComparison>, ReplayError> {
    let mut tx = live.begin().await?;
    let lock_timeout = format!("set local lock_timeout = {}", lock_timeout.as_millis());
    sqlx::raw_sql(AssertSqlSafe(lock_timeout)).execute(&mut *tx).await?;
    let began = Instant::now();
    source.pause_live(&mut tx).await?;
    if !source.catch_up_paused(shadow, &mut tx, began + PAUSED_CATCH_UP_TIMEOUT).await? {
        return Err(source.lag_reason(shadow, &mut tx).await);
    }
    // The consumers are paused. Other writers, such as requests, wait from here on; readers continue.
    if let Some(before_lock) = projection.before_lock {
        sqlx::raw_sql(before_lock).execute(&mut *tx).await?;
    }
    let names: Vec<String> =
        projection.tables.iter().map(|table| format!(r#"public."{}""#, table.name)).collect();
    let lock = format!("lock table {} in share row exclusive mode", names.join(", "));
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *tx).await?;
    if let Some(before_compare) = projection.before_compare {
        let mut tx = shadow.outbox.begin().await?;
        sqlx::raw_sql(before_compare).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    let mut tables = Vec::new();
    for pair in pairs {
        tables.push(pair.compare(&mut tx).await?);
    }
    if mode == Mode::Swap {
        for pair in pairs.iter().rev() {
            pair.delete(&mut tx).await?;
        }
        for pair in pairs {
            pair.upsert(&mut tx).await?;
        }
        source.transfer_cursors(shadow, &mut tx).await?;
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    Ok(tables)
}
