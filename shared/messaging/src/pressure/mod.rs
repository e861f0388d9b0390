//! Backpressure: how full the outbox is, and which writes are taken.
//!
//! One task of each process looks four times a second, at the oldest row, the last number and what the leading relay says; a
//! write looks at what that task has found. What consumers say is never refused: it is caused by events that are acknowledged
//! only when it is committed, so refusing it would move the load from this outbox back into the queues, block what drains them,
//! and end compensations in the middle. It is bounded by what was taken on before.

pub(crate) mod core;

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use self::core::{Admission, Figures, Gate, RowEstimate};
pub use self::core::{Criticality, OutboxBounds};
use crate::{
    ConnectionStatus, Error, Outbox,
    error::{causes, within},
};

/// How often the outbox is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// How long the database may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// For how long the others believe what the leading process says. It says so at every look, and takes it back when it is over: this is
/// for when it dies, and longer than from one look to the next.
const BELIEVED: Duration = Duration::from_secs(8);

/// How many times longer than the last count of the rows nobody counts again.
const REST_OF_COUNTING: u32 = 20;

/// How many times longer than the last look at the outbox nobody looks again.
const REST_OF_LOOKING: u32 = 4;

/// How long nobody looks at most: what is refused is taken again only after a look.
const LONGEST_REST: Duration = Duration::from_secs(2);

/// Who is refused may come back after this.
const COME_BACK: Duration = Duration::from_secs(2);

/// Who is refused because the outbox is full may come back after this: it drains some ten thousand rows a second.
const COME_BACK_TO_FULL: Duration = Duration::from_secs(10);

/// How full the outbox is, and what is refused for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackpressureState {
    /// Rows that wait to leave, at most.
    pub outbox_rows: i64,
    /// How old the oldest of them is; zero if there is none.
    pub outbox_age: Duration,
    admission: Admission,
}

/// A write is refused for the pressure on the outbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Overloaded {
    /// A stable code: `broker_unavailable` or `outbox_full`.
    pub code: &'static str,
    /// Why, for people.
    pub reason: String,
    /// When to come back.
    pub retry_after: Duration,
}

impl BackpressureState {
    /// Whether a write of this criticality may be taken.
    pub fn admit(&self, criticality: Criticality) -> Result<(), Overloaded> {
        let Some(refusal) = self.admission.refusal(criticality) else { return Ok(()) };
        let retry_after = match self.admission {
            Admission::None(_) => COME_BACK_TO_FULL,
            Admission::All | Admission::Essential(_) => COME_BACK,
        };
        Err(Overloaded { code: refusal.code, reason: refusal.reason.clone(), retry_after })
    }
}

/// Where the pressure is written down. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Gauge(Arc<watch::Sender<BackpressureState>>);

impl Gauge {
    /// Nothing is known, so everything is taken.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(BackpressureState::default())))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<BackpressureState> {
        self.0.subscribe()
    }

    pub(crate) fn admit(&self, criticality: Criticality) -> Result<(), Overloaded> {
        self.0.borrow().admit(criticality)
    }
}

/// Looks at the outbox until `stop`, and says what it finds where every write can see it.
pub(crate) async fn watch(
    outbox: &Outbox,
    bounds: OutboxBounds,
    connectivity: watch::Receiver<ConnectionStatus>,
    stop: &CancellationToken,
) {
    let mut watcher = Watcher {
        outbox,
        bounds,
        connectivity,
        estimate: RowEstimate::default(),
        count_again: Instant::now(),
        gate: Gate::default(),
        looked: Instant::now(),
    };
    let mut pause = Duration::ZERO;
    while stop.run_until_cancelled(sleep(pause)).await.is_some() {
        let began = Instant::now();
        pause = match within("looking at the outbox", ANSWER, watcher.look()).await {
            // A look is slow where a forgotten session keeps the rows that were deleted: it must not be all that the database does.
            Ok(()) => (began.elapsed() * REST_OF_LOOKING).clamp(LOOK, LONGEST_REST),
            // While the database does not answer nothing can be written either; what was found last stands.
            Err(error) => {
                tracing::debug!(causes = ?causes(&error), "the outbox was not looked at");
                LOOK
            }
        };
    }
}

struct Watcher<'a> {
    outbox: &'a Outbox,
    bounds: OutboxBounds,
    connectivity: watch::Receiver<ConnectionStatus>,
    estimate: RowEstimate,
    count_again: Instant,
    gate: Gate,
    looked: Instant,
}

impl Watcher<'_> {
    async fn look(&mut self) -> Result<(), Error> {
        let pool = self.outbox.pool();
        let own_trouble = self.connectivity.borrow().publisher_down.clone();
        let leads = self.outbox.wake().leads();
        if let Some(reason) = own_trouble.as_ref().filter(|_| leads) {
            tell(pool, reason).await?;
        }
        let mut seen = see(pool).await?;
        if leads && own_trouble.is_none() && seen.trouble.take().is_some() {
            take_back(pool).await?;
        }
        if RowEstimate::is_worth_counting(self.estimate.rows(seen.first, seen.last), self.bounds)
            && Instant::now() >= self.count_again
        {
            let began = Instant::now();
            self.estimate.counted(count(pool, self.bounds.rows).await?, seen.last);
            self.count_again = Instant::now() + LOOK.max(began.elapsed() * REST_OF_COUNTING);
        }
        let rows = self.estimate.rows(seen.first, seen.last);
        self.outbox.meters().outbox(seen.last, rows, seen.oldest);
        let figures = Figures { rows, oldest: seen.oldest, trouble: own_trouble.or(seen.trouble) };
        let admission = self.gate.look(&figures, self.bounds, self.looked.elapsed());
        self.looked = Instant::now();
        #[expect(clippy::cast_precision_loss, reason = "a row more or less in a billion")]
        metrics::gauge!("messaging_outbox_rows").set(rows as f64);
        metrics::gauge!("messaging_outbox_age_seconds").set(seen.oldest.as_secs_f64());
        let pressure = BackpressureState { outbox_rows: rows, outbox_age: seen.oldest, admission };
        self.outbox.gauge().0.send_if_modified(|current| {
            let is_new = *current != pressure;
            *current = pressure;
            is_new
        });
        Ok(())
    }
}

/// The outbox at one look.
struct Seen {
    /// The number of the oldest row.
    first: Option<i64>,
    /// The last number given out, to a transaction that has committed or not.
    last: i64,
    oldest: Duration,
    /// Why events do not leave, as the leading process says.
    trouble: Option<String>,
}

async fn see(pool: &PgPool) -> Result<Seen, Error> {
    let row = sqlx::query!(
        r#"
        select ids.last_value as "last!", ids.is_called as "called!", oldest.id as "first?",
            extract(epoch from clock_timestamp() - oldest.time)::float8 as age,
            (select reason from messaging.relay_trouble where until > now()) as trouble
        from messaging.outbox_id_seq ids
        left join lateral (select id, time from messaging.outbox order by id limit 1) oldest on true
        "#
    )
    .fetch_one(pool)
    .await?;
    let oldest = row.age.and_then(|age| Duration::try_from_secs_f64(age).ok()).unwrap_or_default();
    // Before the first row is written the sequence stands at one already.
    let last = if row.called { row.last } else { 0 };
    Ok(Seen { first: row.first, last, oldest, trouble: row.trouble })
}

/// How many rows there are, as far as it matters.
async fn count(pool: &PgPool, most: i64) -> Result<i64, Error> {
    let counted = sqlx::query_scalar!(
        r#"select count(*) as "rows!" from (select from messaging.outbox limit $1) rows"#,
        most
    );
    Ok(counted.fetch_one(pool).await?)
}

/// Tells the other processes that events leave again.
async fn take_back(pool: &PgPool) -> Result<(), Error> {
    sqlx::query!("delete from messaging.relay_trouble").execute(pool).await?;
    Ok(())
}

/// Tells the other processes why events do not leave.
async fn tell(pool: &PgPool, reason: &str) -> Result<(), Error> {
    sqlx::query!(
        r#"
        insert into messaging.relay_trouble (reason, until) values ($1, now() + make_interval(secs => $2))
        on conflict (single) do update set reason = excluded.reason, until = excluded.until
        "#,
        reason,
        BELIEVED.as_secs_f64(),
    )
    .execute(pool)
    .await?;
    Ok(())
}
