//! A projection is rebuilt from a stream while the stream grows.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests use their own tables and the system clock"
)]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use messaging::{
    Failure, MIGRATOR, Outbox, Transaction,
    replay::{self, Mode, Projection, ReplayError, ReplayReport, StreamSource, Table},
    streams::{self, StreamHandler, StreamWriter},
};
use testkit::{Database, Vhost, wait_for};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::{MissedTickBehavior, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    harness::{TIMEOUT, count, outbox},
    stream::lose_stream,
};

/// A message of the stream: id, page, time.
type Click = (Uuid, String, DateTime<Utc>);

/// Stores each click once, counts clicks by page, and counts all received messages.
struct StoreClicks;

impl StreamHandler for StoreClicks {
    async fn handle(&self, tx: &mut Transaction, messages: &[&[u8]]) -> Result<(), Failure> {
        let clicks = messages.iter().map(|message| serde_json::from_slice::<Click>(message));
        let clicks: Vec<Click> = clicks
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::reject("undecodable", error))?;
        let ids: Vec<Uuid> = clicks.iter().map(|click| click.0).collect();
        let pages: Vec<&str> = clicks.iter().map(|click| click.1.as_str()).collect();
        let times: Vec<DateTime<Utc>> = clicks.iter().map(|click| click.2).collect();
        sqlx::query(
            "with kept as (
                insert into click (id, page, at) select * from unnest($1::uuid[], $2::text[], $3::timestamptz[])
                on conflict do nothing
                returning page
            ), counted as (
                insert into page as p (page, clicks) select page, count(*) from kept group by page
                on conflict (page) do update set clicks = p.clicks + excluded.clicks
            )
            update received set count = count + cardinality($1)",
        )
        .bind(ids)
        .bind(pages)
        .bind(times)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

struct Hang;

impl StreamHandler for Hang {
    async fn handle(&self, _: &mut Transaction, _: &[&[u8]]) -> Result<(), Failure> {
        std::future::pending().await
    }

    fn handler_timeout(&self) -> Duration {
        Duration::from_millis(100)
    }
}

/// A stream of clicks, and the service that stores them.
struct ClickHarness {
    vhost: Vhost,
    _database: Database,
    outbox: Outbox,
    intake: StreamWriter,
    tasks: JoinSet<()>,
    stop: CancellationToken,
    /// Tells the writer to stop.
    ended: Arc<AtomicBool>,
    /// The number of clicks written.
    written: Arc<AtomicI64>,
}

impl ClickHarness {
    /// With a running writer and reader.
    async fn open() -> Self {
        let mut clicks = Self::open_idle().await;
        clicks.read();
        let (ended, written) = (Arc::clone(&clicks.ended), Arc::clone(&clicks.written));
        clicks.tasks.spawn(click(clicks.intake.clone(), ended, written));
        clicks
    }

    async fn open_idle() -> Self {
        let vhost = Vhost::create().await.unwrap();
        let database = Database::migrated(&[&MIGRATOR]).await.unwrap();
        database
            .run(
                "create table click (
                    id uuid primary key, page text not null, at timestamptz not null,
                    no bigint generated always as identity, constraint click_no unique (no)
                );
                create table page (page text primary key, clicks bigint not null);
                create table received (count bigint not null);
                insert into received values (0)",
            )
            .await
            .unwrap();
        let outbox = outbox(database.url()).await;
        let (intake, publisher) = StreamWriter::new(vhost.url(), "clicks");
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        tasks.spawn(publisher.run(stop.clone()));
        let (ended, written) = (Arc::default(), Arc::default());
        Self { vhost, _database: database, outbox, intake, tasks, stop, ended, written }
    }

    fn read(&mut self) -> AbortHandle {
        let (outbox, url) = (self.outbox.clone(), self.vhost.url().to_owned());
        let (handler, stop) = (Arc::new(StoreClicks), self.stop.clone());
        self.tasks.spawn(streams::read(outbox, url, "clicks", "reader", handler, stop))
    }

    /// Writes clicks with a time some minutes ago.
    async fn click(&self, times: usize, minutes: i64) {
        for _ in 0..times {
            let click: Click =
                (Uuid::new_v4(), "page".to_owned(), Utc::now() - TimeDelta::minutes(minutes));
            self.intake.append(serde_json::to_vec(&click).unwrap()).await.unwrap();
        }
    }

    /// Waits until the reader has noticed the loss of its stream.
    async fn wait_for_restart(&self) {
        wait_for("the reader restarts from the beginning", TIMEOUT, async || {
            match count(self.outbox.pool(), "messaging.stream_offset where restarts > 0").await {
                0 => Err("not yet"),
                _ => Ok(()),
            }
        })
        .await
        .unwrap();
    }

    async fn stored(&self) -> i64 {
        count(self.outbox.pool(), "click").await
    }

    async fn wait_for_stored(&self, least: i64) {
        wait_for("clicks are stored", TIMEOUT, async || {
            let stored = self.stored().await;
            if stored >= least { Ok(()) } else { Err(stored) }
        })
        .await
        .unwrap();
    }

    async fn replay(&self, mode: Mode) -> ReplayReport {
        let projection = Projection::new("clicks")
            .table(Table::new("click"))
            .table(Table::new("page"))
            .scratch("received");
        self.rebuild(&projection, mode).await.unwrap()
    }

    /// Replays clicks by their times.
    async fn replay_timed(&self, mode: Mode) -> Result<ReplayReport, ReplayError> {
        let projection = Projection::new("clicks")
            .table(Table::new("click").since("at"))
            .scratch("page")
            .scratch("received");
        self.rebuild(&projection, mode).await
    }

    async fn rebuild(
        &self,
        projection: &Projection,
        mode: Mode,
    ) -> Result<ReplayReport, ReplayError> {
        self.rebuild_with(StoreClicks, projection, mode).await
    }

    async fn rebuild_with(
        &self,
        handler: impl StreamHandler,
        projection: &Projection,
        mode: Mode,
    ) -> Result<ReplayReport, ReplayError> {
        let newest = |body: &[u8]| serde_json::from_slice::<Click>(body).ok().map(|click| click.2);
        let source = StreamSource {
            stream: "clicks",
            consumer: "reader",
            handler: Arc::new(handler),
            newest,
            not_before: None,
        };
        replay::from_stream(&self.outbox, self.vhost.url(), projection, source, mode).await
    }

    async fn shut_down(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            assert!(!ended.is_err_and(|error| error.is_panic()));
        }
    }
}

/// Writes clicks at a fixed rate until stopped; every tenth click twice. Without the rate limit the stream might grow faster than a
/// busy machine replays it.
async fn click(intake: StreamWriter, ended: Arc<AtomicBool>, written: Arc<AtomicI64>) {
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        // There is no await between this check and the append, so the count is final once the writer is stopped.
        if ended.load(Ordering::SeqCst) {
            break;
        }
        let number = written.fetch_add(1, Ordering::SeqCst);
        let click: Click = (Uuid::new_v4(), format!("page-{}", number % 5), Utc::now());
        let click = serde_json::to_vec(&click).unwrap();
        intake.append(click.clone()).await.unwrap();
        if number % 10 == 0 {
            // The test waits for the first of the two only; the intake may stop before the second.
            let again = intake.append(click).await;
            assert!(again.is_ok() || ended.load(Ordering::SeqCst), "{again:?}");
        }
    }
}

#[tokio::test]
async fn a_projection_is_rebuilt_from_a_stream_under_load() {
    let clicks = ClickHarness::open().await;
    clicks.wait_for_stored(200).await;
    let sound = clicks.replay(Mode::Compare).await;
    assert_eq!(sound.differences, 0, "{sound:?}");
    assert!(sound.replayed >= 200, "{sound:?}");

    sqlx::raw_sql(
        "delete from click where no in (select no from click order by no limit 3);
         update click set page = 'nowhere' where no in (select no from click order by no limit 2);
         update page set clicks = clicks + 1000 where page = 'page-3'",
    )
    .execute(clicks.outbox.pool())
    .await
    .unwrap();
    let stored = clicks.stored().await;
    for mode in [Mode::Compare, Mode::Swap] {
        let found = clicks.replay(mode).await;
        let counts = |table: usize| {
            let table = &found.tables[table];
            (table.different, table.only_shadow, table.only_live)
        };
        assert_eq!((counts(0), counts(1)), ((2, 3, 0), (1, 0, 0)), "{found:?}");
    }
    let sound = clicks.replay(Mode::Swap).await;
    assert_eq!(sound.differences, 0, "{sound:?}");

    // Clicks after the swap are stored, and no click is lost or counted twice.
    clicks.wait_for_stored(stored + 100).await;
    clicks.ended.store(true, Ordering::SeqCst);
    wait_for("all clicks are stored and counted", TIMEOUT, async || {
        let written = clicks.written.load(Ordering::SeqCst);
        let pages: i64 = sqlx::query_scalar("select sum(clicks)::bigint from page")
            .fetch_one(clicks.outbox.pool())
            .await
            .unwrap();
        let found = (clicks.stored().await, pages);
        if found == (written, written) { Ok(()) } else { Err(format!("{found:?} of {written}")) }
    })
    .await
    .unwrap();
    clicks.shut_down().await;
}

/// A recreated stream starts at offset zero, like one that is complete.
#[tokio::test]
async fn rows_older_than_a_recreated_stream_are_kept() {
    let mut clicks = ClickHarness::open_idle().await;
    let reader = clicks.read();
    clicks.click(10, 10).await;
    clicks.wait_for_stored(10).await;

    // A replay is impossible before the reader has read from the new stream.
    lose_stream(clicks.vhost.url()).await;
    clicks.wait_for_restart().await;
    let lost = clicks.replay_timed(Mode::Swap).await;
    assert!(matches!(lost, Err(ReplayError::StreamLost("clicks"))), "{lost:?}");

    clicks.click(10, 5).await;
    clicks.click(10, 0).await;
    clicks.wait_for_stored(30).await;
    sqlx::raw_sql("delete from click where no in (select max(no) from click)")
        .execute(clicks.outbox.pool())
        .await
        .unwrap();
    let found = clicks.replay_timed(Mode::Swap).await.unwrap();
    let click = &found.tables[0];
    assert_eq!((click.different, click.only_shadow, click.only_live), (0, 1, 0), "{found:?}");
    assert_eq!(clicks.stored().await, 30);
    let timeless = Projection::new("clicks").table(Table::new("click")).scratch("page");
    let timeless = clicks.rebuild(&timeless.scratch("received"), Mode::Swap).await;
    assert!(matches!(timeless, Err(ReplayError::Truncated("click"))), "{timeless:?}");

    // The replay notices a loss that no reader has noticed.
    reader.abort();
    lose_stream(clicks.vhost.url()).await;
    clicks.click(30, 0).await;
    let lost = clicks.replay_timed(Mode::Swap).await;
    assert!(matches!(lost, Err(ReplayError::StreamLost("clicks"))), "{lost:?}");
    assert_eq!(clicks.stored().await, 30);
    clicks.shut_down().await;
}

#[tokio::test]
async fn a_replay_pauses_a_reader_that_starts_meanwhile() {
    let mut clicks = ClickHarness::open_idle().await;
    clicks.click(10, 0).await;
    // `pg_sleep` extends the last step of the replay, during which the reader starts.
    let projection = Projection::new("clicks")
        .table(Table::new("click"))
        .scratch("page")
        .scratch("received")
        .before_lock("select pg_sleep(3)");
    let (outbox, url) = (clicks.outbox.clone(), clicks.vhost.url().to_owned());
    let source = StreamSource {
        stream: "clicks",
        consumer: "reader",
        handler: Arc::new(StoreClicks),
        newest: |_| None,
        not_before: None,
    };
    let mut replaying = JoinSet::new();
    replaying.spawn(async move {
        replay::from_stream(&outbox, &url, &projection, source, Mode::Swap).await.unwrap()
    });
    wait_for("the live reader is paused", TIMEOUT, async || {
        let last_step = "pg_stat_activity where datname = current_database() and state = 'active' and query = 'select pg_sleep(3)'";
        match count(clicks.outbox.pool(), last_step).await {
            0 => Err("not yet"),
            _ => Ok(()),
        }
    })
    .await
    .unwrap();
    clicks.read();
    let found = replaying.join_next().await.unwrap().unwrap();
    assert_eq!((found.differences, found.replayed), (0, 0), "{found:?}");
    clicks.wait_for_stored(10).await;
    clicks.shut_down().await;
}

#[tokio::test]
async fn a_handler_that_hangs_ends_the_replay() {
    let mut clicks = ClickHarness::open_idle().await;
    clicks.read();
    clicks.click(10, 0).await;
    clicks.wait_for_stored(10).await;
    let projection = Projection::new("clicks").table(Table::new("click"));
    let replaying = clicks.rebuild_with(Hang, &projection, Mode::Swap);
    let ended = timeout(TIMEOUT, replaying).await.expect("the replay ends");
    assert!(matches!(ended, Err(ReplayError::HandlerFailed(_))), "{ended:?}");
    assert_eq!(clicks.stored().await, 10);
    clicks.shut_down().await;
}

/// The messages up to the stored offset no longer exist, so the replay must not wait for them.
#[tokio::test]
async fn a_replay_reports_a_lost_stream_that_is_still_short() {
    let mut clicks = ClickHarness::open_idle().await;
    let reader = clicks.read();
    clicks.click(10, 0).await;
    clicks.wait_for_stored(10).await;
    reader.abort();
    lose_stream(clicks.vhost.url()).await;
    clicks.click(5, 0).await;
    let lost = clicks.replay_timed(Mode::Swap).await;
    assert!(matches!(lost, Err(ReplayError::StreamLost("clicks"))), "{lost:?}");
    assert_eq!(clicks.stored().await, 10);
    clicks.shut_down().await;
}
