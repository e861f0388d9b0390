//! Watches the fill level of the outbox.
//!
//! One task per process checks the outbox four times a second: the oldest row, the last id, and the outage reported by the leading
//! relay. It checks less often while the outbox is empty and the process rests.

use std::time::Duration;

use sqlx::PgPool;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    admission::{AdmissionControl, OutboxBounds, OutboxObservation, RowEstimate},
    backpressure::BackpressureState,
    outbox::Outbox,
};
use crate::{
    connection_status::ConnectionStatus,
    error::{Error, causes, with_timeout},
};

/// How often the outbox is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The timeout of a check.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a reported outage stays valid. The leading process renews it at every check and deletes it afterwards; the limit
/// applies when it dies. It must exceed [`REPLY_TIMEOUT`].
const OUTAGE_TTL: Duration = Duration::from_secs(8);

/// The minimum pause between two counts of the rows, as a multiple of the duration of a count.
const COUNT_PAUSE_FACTOR: u32 = 20;

/// The minimum pause between two checks, as a multiple of the duration of a check.
const POLL_PAUSE_FACTOR: u32 = 4;

/// The maximum pause between two checks: refused writes are accepted again only after one.
const MAX_POLL_PAUSE: Duration = Duration::from_secs(2);

/// Checks the outbox until `stop` and shares the result with all writes.
pub(crate) async fn watch(
    outbox: &Outbox,
    bounds: OutboxBounds,
    connections: watch::Receiver<ConnectionStatus>,
    stop: &CancellationToken,
) {
    let mut watcher = Watcher {
        outbox,
        bounds,
        connections,
        estimate: RowEstimate::default(),
        next_count: Instant::now(),
        control: AdmissionControl::default(),
        last_check: Instant::now(),
        is_empty: false,
    };
    let mut pause = Duration::ZERO;
    while stop.run_until_cancelled(watcher.pause(pause)).await.is_some() {
        let began = Instant::now();
        pause = match with_timeout("checking the outbox", REPLY_TIMEOUT, watcher.check()).await {
            // A check is slow while an old session keeps deleted rows from being vacuumed: then it must run less often.
            Ok(()) => (began.elapsed() * POLL_PAUSE_FACTOR).clamp(POLL_INTERVAL, MAX_POLL_PAUSE),
            // While the database does not answer, no write succeeds either; the last state stays valid.
            Err(error) => {
                tracing::debug!(causes = ?causes(&error), "failed to check the outbox");
                POLL_INTERVAL
            }
        };
    }
}

struct Watcher<'a> {
    outbox: &'a Outbox,
    bounds: OutboxBounds,
    connections: watch::Receiver<ConnectionStatus>,
    estimate: RowEstimate,
    next_count: Instant,
    control: AdmissionControl,
    last_check: Instant,
    /// Whether the last check found neither an event nor an outage.
    is_empty: bool,
}

impl Watcher<'_> {
    async fn pause(&self, pause: Duration) {
        if self.is_empty { self.outbox.pause(pause).await } else { sleep(pause).await }
    }

    async fn check(&mut self) -> Result<(), Error> {
        let pool = self.outbox.pool();
        let own_outage = {
            let status = self.connections.borrow();
            // Until the first attempt to connect ends, no outage is known.
            status.publisher_down.clone().filter(|_| !status.is_publisher_starting())
        };
        let is_leading = self.outbox.waker().is_leading();
        if let Some(reason) = own_outage.as_ref().filter(|_| is_leading) {
            report_outage(pool, reason).await?;
        }
        let mut status = read_status(pool).await?;
        if is_leading && own_outage.is_none() && status.outage.take().is_some() {
            clear_outage(pool).await?;
        }
        if RowEstimate::is_worth_counting(
            self.estimate.rows(status.first, status.last),
            self.bounds,
        ) && Instant::now() >= self.next_count
        {
            let began = Instant::now();
            self.estimate.counted(count(pool, self.bounds.rows).await?, status.last);
            self.next_count =
                Instant::now() + POLL_INTERVAL.max(began.elapsed() * COUNT_PAUSE_FACTOR);
        }
        let rows = self.estimate.rows(status.first, status.last);
        self.outbox.stats().observe_outbox(status.last, rows, status.oldest);
        self.is_empty = status.first.is_none() && own_outage.is_none() && status.outage.is_none();
        if status.first.is_some() {
            // A relay that rests must read the row.
            self.outbox.activity().record();
        }
        let observation =
            OutboxObservation { rows, oldest: status.oldest, outage: own_outage.or(status.outage) };
        let admission = self.control.update(&observation, self.bounds, self.last_check.elapsed());
        self.last_check = Instant::now();
        #[expect(clippy::cast_precision_loss, reason = "the error is one row in a billion")]
        metrics::gauge!("messaging_outbox_rows").set(rows as f64);
        metrics::gauge!("messaging_outbox_age_seconds").set(status.oldest.as_secs_f64());
        let state = BackpressureState { outbox_rows: rows, outbox_age: status.oldest, admission };
        self.outbox.backpressure_handle().set(state);
        Ok(())
    }
}

struct OutboxStatus {
    /// The id of the oldest row.
    first: Option<i64>,
    /// The last id assigned, whether its transaction has committed or not.
    last: i64,
    oldest: Duration,
    /// Why events cannot be published, as reported by the leading process.
    outage: Option<String>,
}

async fn read_status(pool: &PgPool) -> Result<OutboxStatus, Error> {
    let row = sqlx::query!(
        r#"
        select ids.last_value as "last!", ids.is_called as "called!", oldest.id as "first?",
            extract(epoch from clock_timestamp() - oldest.time)::float8 as age,
            (select reason from messaging.relay_outage where until > now()) as outage
        from messaging.outbox_id_seq ids
        left join lateral (select id, time from messaging.outbox order by id limit 1) oldest on true
        "#
    )
    .fetch_one(pool)
    .await?;
    let oldest = row.age.and_then(|age| Duration::try_from_secs_f64(age).ok()).unwrap_or_default();
    // A new sequence already has the value one before the first row is written.
    let last = if row.called { row.last } else { 0 };
    Ok(OutboxStatus { first: row.first, last, oldest, outage: row.outage })
}

/// Counts the rows, up to `limit`.
async fn count(pool: &PgPool, limit: i64) -> Result<i64, Error> {
    let counted = sqlx::query_scalar!(
        r#"select count(*) as "rows!" from (select from messaging.outbox limit $1) rows"#,
        limit
    );
    Ok(counted.fetch_one(pool).await?)
}

/// Tells the other processes that events can be published again.
async fn clear_outage(pool: &PgPool) -> Result<(), Error> {
    sqlx::query!("delete from messaging.relay_outage").execute(pool).await?;
    Ok(())
}

/// Tells the other processes why events cannot be published.
async fn report_outage(pool: &PgPool, reason: &str) -> Result<(), Error> {
    sqlx::query!(
        r#"
        insert into messaging.relay_outage (reason, until) values ($1, now() + make_interval(secs => $2))
        on conflict (single) do update set reason = excluded.reason, until = excluded.until
        "#,
        reason,
        OUTAGE_TTL.as_secs_f64(),
    )
    .execute(pool)
    .await?;
    Ok(())
}
