//! Replay: a projection is built again beside the live one, compared with it, and put into its place.
//!
//! The same handlers run as did the first time, in transactions that see the tables of a [`shadow`] first: a schema with empty
//! tables like those of the projection. What they say goes nowhere. They are fed [from a stream](from_stream), or [from the
//! owners](from_owners) of what they were told: from a snapshot of each, and from the events that come behind it, through queues
//! of the replay's own.
//!
//! In the end the live consumers are held back for a moment: the shadow takes exactly what they have taken, the tables are
//! compared (see [`difference`]), and rows that differ are written from the shadow into the live tables, all in one transaction. Until it
//! commits nothing has happened, whoever dies.

#[expect(
    clippy::disallowed_methods,
    reason = "which tables and columns there are is known only here and now"
)]
mod difference;
#[expect(clippy::disallowed_methods, reason = "the cursors of a shadow are there only while it is")]
mod effects;
#[expect(clippy::disallowed_methods, reason = "the name of a shadow is known only once it is made")]
mod owners;
mod projection;
pub(crate) mod shadow;
mod tape;

use std::time::Duration;

use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::Instant;

pub use self::{
    difference::Compared,
    owners::{Owner, from_owners},
    projection::{Projection, Table},
    tape::{Tape, from_stream},
};
use self::{difference::Pair, shadow::Shadow};
use crate::{Cause, Error, Outbox, failure::is_unavailable};

/// How often the live consumers are held back at most before a replay is given up.
const ATTEMPTS: u32 = 8;

/// How long the first attempt waits for those who work on the live tables; each later one waits longer. Whoever comes
/// meanwhile waits behind us.
const PATIENCE: Duration = Duration::from_millis(500);

/// A shadow that was so quick to follow is close enough behind the live projection.
const CLOSE: Duration = Duration::from_millis(500);

/// How long a shadow may try to come so close.
const PURSUIT: Duration = Duration::from_mins(10);

/// How long the shadow may take to catch up while the live consumers are held back.
const LEVEL: Duration = Duration::from_secs(5);

/// What is to be done with what differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is shown.
    Compare,
    /// It is put right.
    Swap,
}

/// What a replay did.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What was built again.
    pub projection: &'static str,
    /// How many keys came with the snapshots of their owners.
    pub entries: u64,
    /// How many events, or messages of a stream, were handled again.
    pub replayed: u64,
    /// How many of these were refused by their handler, as they were the first time.
    pub refused: u64,
    /// Of how many keys a snapshot had more than the live consumer had heard: what these differ in may be on its way.
    pub ahead: i64,
    /// The tables, one by one.
    pub tables: Vec<Compared>,
    /// How many rows were wrong, in all.
    pub differences: i64,
    /// Whether the shadow has taken the place of the live projection.
    pub swapped: bool,
    /// For how long the live consumers were held back.
    pub paused_seconds: f64,
    /// How long it took in all.
    pub seconds: f64,
}

/// Why a replay came to no end. The live projection is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Somebody else is at it.
    #[error("this projection is being replayed already")]
    Busy,
    /// The database or the broker failed, or another replay has taken the shadow away.
    #[error(transparent)]
    Messaging(#[from] Error),
    /// An owner does not tell what it has.
    #[error("the snapshot of {aggregate} cannot be read")]
    Snapshot {
        /// Of what.
        aggregate: &'static str,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A handler refuses what an owner has.
    #[error("the handler refuses the state of {key} in the snapshot of {aggregate}: {}", .causes.join(": "))]
    Refused {
        /// Of what.
        aggregate: &'static str,
        /// Which key.
        key: String,
        /// Why.
        causes: Vec<String>,
    },
    /// A handler failed again and again over what did not fail the first time.
    #[error("a handler fails again and again: {}", .0.join(": "))]
    Stuck(Vec<String>),
    /// The live consumer knows of a key more than its owner has told the replay.
    #[error(
        "the live projection has {key} of {aggregate} up to number {live}, the replay up to {shadow}"
    )]
    Behind {
        /// Of what.
        aggregate: String,
        /// Which key.
        key: String,
        /// The number of its last event that the live consumer has handled.
        live: i64,
        /// The number of the last that the replay has.
        shadow: i64,
    },
    /// There was always somebody at work on the live tables.
    #[error("the live consumers could not be held back")]
    NoPause,
    /// More is said than can be handled again at the same time.
    #[error("the replay does not come close to the live projection within {PURSUIT:?}")]
    TooSlow,
    /// The stream has forgotten its beginning, and nothing tells which rows are older than what it has.
    #[error("the stream has forgotten its beginning, and the rows of {0} have no time")]
    Truncated(&'static str),
    /// The stream was lost, and what the live projection has out of it cannot be told again.
    #[error("the stream {0} was lost, and its reader has not yet read what is there now")]
    StreamLost(&'static str),
    /// Rows without a key cannot be compared.
    #[error("the table {0} does not exist, or has no primary key")]
    NoKey(&'static str),
    /// The service does not hear what it is to be told again.
    #[error("nothing is heard of {0}")]
    NotHeard(&'static str),
}

impl From<sqlx::Error> for ReplayError {
    fn from(error: sqlx::Error) -> Self {
        Self::Messaging(error.into())
    }
}

/// From where a shadow is filled.
trait Source {
    /// Puts into the shadow what it begins with.
    async fn fill(&mut self, shadow: &Shadow, live: &mut PgConnection) -> Result<(), ReplayError>;

    /// Brings the shadow to where the live projection stands at this moment; that goes on meanwhile.
    async fn follow(&mut self, shadow: &Shadow, live: &mut PgConnection)
    -> Result<(), ReplayError>;

    /// Holds the live consumers back until the transaction of `live` ends.
    async fn hold_back(&mut self, live: &mut PgConnection) -> Result<(), Error>;

    /// Brings the shadow to where the live projection stands while nobody writes to that; says whether it is there by `deadline`.
    async fn level(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
        deadline: Instant,
    ) -> Result<bool, ReplayError>;

    /// Gives the live consumers the shadow's place in what they hear.
    async fn hand_over(
        &mut self,
        shadow: &Shadow,
        live: &mut PgConnection,
    ) -> Result<(), ReplayError>;

    /// Why the shadow does not come to where the live projection stands.
    async fn why_behind(&mut self, shadow: &Shadow, live: &mut PgConnection) -> ReplayError;

    /// From when on the source has everything; `None` if it has all there ever was.
    fn since(&self) -> Option<chrono::DateTime<chrono::Utc>>;

    /// How much was handled.
    fn tally(&self) -> Tally;
}

/// How much a replay has handled.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    entries: u64,
    replayed: u64,
    refused: u64,
    ahead: i64,
}

/// Builds `projection` again from `source`, compares, and swaps if told to.
async fn run(
    outbox: &Outbox,
    projection: &Projection,
    source: &mut impl Source,
    mode: Mode,
) -> Result<Report, ReplayError> {
    let began = Instant::now();
    // A connection of our own: what holds other replays off ends with it.
    let options = (*outbox.pool().connect_options()).clone().options([
        ("statement_timeout", "120000"),
        ("idle_in_transaction_session_timeout", "60000"),
        ("lock_timeout", "60000"),
    ]);
    let mut live = PgConnection::connect_with(&options).await?;
    let ours: bool =
        sqlx::query_scalar("select pg_try_advisory_lock(hashtext('replay'), hashtext($1))")
            .bind(projection.name)
            .fetch_one(&mut live)
            .await?;
    if !ours {
        return Err(ReplayError::Busy);
    }
    let shadow = Shadow::make(&mut live, outbox.pool(), projection).await?;
    let outcome = rebuild(&shadow, &mut live, projection, source, mode).await;
    shadow.outbox.pool().close().await;
    // What cannot be cleared away now is cleared away by the next replay.
    if let Err(error) = shadow::clear(&mut live, projection).await {
        tracing::warn!(projection = projection.name, %error, "the shadow of a replay is left behind");
    }
    let Ended { tables, swapped, paused } = outcome?;
    outbox.unparked().send_replace(());
    let Tally { entries, replayed, refused, ahead } = source.tally();
    Ok(Report {
        projection: projection.name,
        entries,
        replayed,
        refused,
        ahead,
        differences: tables.iter().map(Compared::differences).sum(),
        tables,
        swapped,
        paused_seconds: paused.as_secs_f64(),
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// What the last step of a replay came to.
struct Ended {
    tables: Vec<Compared>,
    swapped: bool,
    paused: Duration,
}

async fn rebuild(
    shadow: &Shadow,
    live: &mut PgConnection,
    projection: &Projection,
    source: &mut impl Source,
    mode: Mode,
) -> Result<Ended, ReplayError> {
    let mut pairs = Vec::new();
    source.fill(shadow, live).await?;
    for table in &projection.tables {
        pairs.push(Pair::read(live, table, &shadow.schema, source.since()).await?);
    }
    pursue(shadow, live, source).await?;
    let mut failed = ReplayError::NoPause;
    let mut paused = Duration::ZERO;
    for attempt in 1..=ATTEMPTS {
        let began = Instant::now();
        let settled = settle(shadow, live, projection, &pairs, source, mode, PATIENCE * attempt);
        let settled = settled.await;
        // Whoever waits for the lock holds the live consumers back already: they stand behind it.
        paused += began.elapsed();
        match settled {
            Ok(tables) => return Ok(Ended { tables, swapped: mode == Mode::Swap, paused }),
            // Whoever was at work on the tables, or lost against us, is let through first.
            Err(ReplayError::Messaging(Error::Database(error))) if is_unavailable(&error) => {
                tracing::debug!(%error, attempt, "a replay could not hold the live consumers back");
                failed = ReplayError::NoPause;
            }
            Err(behind @ ReplayError::Behind { .. }) => failed = behind,
            Err(error) => return Err(error),
        }
        pursue(shadow, live, source).await?;
    }
    Err(failed)
}

/// Follows the live projection until the shadow is so close behind it that the rest can be done while the live consumers are held back.
async fn pursue(
    shadow: &Shadow,
    live: &mut PgConnection,
    source: &mut impl Source,
) -> Result<(), ReplayError> {
    let deadline = Instant::now() + PURSUIT;
    loop {
        let began = Instant::now();
        source.follow(shadow, live).await?;
        if began.elapsed() < CLOSE {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(ReplayError::TooSlow);
        }
    }
}

/// Holds the live consumers back, brings the shadow level with them, compares, and swaps if told to.
async fn settle(
    shadow: &Shadow,
    live: &mut PgConnection,
    projection: &Projection,
    pairs: &[Pair],
    source: &mut impl Source,
    mode: Mode,
    patience: Duration,
) -> Result<Vec<Compared>, ReplayError> {
    let mut tx = live.begin().await?;
    let patience = format!("set local lock_timeout = {}", patience.as_millis());
    sqlx::raw_sql(AssertSqlSafe(patience)).execute(&mut *tx).await?;
    let began = Instant::now();
    source.hold_back(&mut tx).await?;
    if !source.level(shadow, &mut tx, began + LEVEL).await? {
        return Err(source.why_behind(shadow, &mut tx).await);
    }
    // The consumers write no more; others who do, such as requests, wait from here on. Readers go on.
    if let Some(turn) = projection.turn {
        sqlx::raw_sql(turn).execute(&mut *tx).await?;
    }
    let names: Vec<String> =
        projection.tables.iter().map(|table| format!(r#"public."{}""#, table.name)).collect();
    let lock = format!("lock table {} in share row exclusive mode", names.join(", "));
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *tx).await?;
    if let Some(tidy) = projection.tidy {
        let mut tidying = shadow.outbox.begin().await?;
        sqlx::raw_sql(tidy).execute(&mut *tidying).await?;
        tidying.commit().await?;
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
            pair.write(&mut tx).await?;
        }
        source.hand_over(shadow, &mut tx).await?;
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    Ok(tables)
}
