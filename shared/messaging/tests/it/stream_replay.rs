//! A projection is built again from a stream, while the stream goes on.

#![expect(clippy::disallowed_methods, reason = "the tables and the clock are the test's own")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use messaging::{
    Failure, Kit, MIGRATOR, Transaction,
    replay::{self, Mode, Projection, ReplayError, Report, Table, Tape},
    stream::{self, Intake, StreamHandler},
};
use testkit::{Database, Vhost, wait_for};
use tokio::{
    task::{AbortHandle, JoinSet},
    time::{MissedTickBehavior, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    shop::{SOON, count, kit},
    stream::lose_stream,
};

/// What stands in the stream: an id, a page, a time.
type Click = (Uuid, String, DateTime<Utc>);

/// Keeps every click once, and counts them by page, and all that come.
struct KeepClicks;

impl StreamHandler for KeepClicks {
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

/// Never comes back.
struct Hang;

impl StreamHandler for Hang {
    async fn handle(&self, _: &mut Transaction, _: &[&[u8]]) -> Result<(), Failure> {
        std::future::pending().await
    }

    fn handler_timeout(&self) -> Duration {
        Duration::from_millis(100)
    }
}

/// A stream of clicks, and the service that keeps them.
struct Clicks {
    vhost: Vhost,
    _database: Database,
    kit: Kit,
    intake: Intake,
    tasks: JoinSet<()>,
    stop: CancellationToken,
    /// Whether no more is to be clicked.
    ended: Arc<AtomicBool>,
    /// How many clicks there were.
    said: Arc<AtomicI64>,
}

impl Clicks {
    /// One that is clicked at and read.
    async fn open() -> Self {
        let mut clicks = Self::open_idle().await;
        clicks.read();
        let (ended, said) = (Arc::clone(&clicks.ended), Arc::clone(&clicks.said));
        clicks.tasks.spawn(click(clicks.intake.clone(), ended, said));
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
        let kit = kit(database.url()).await;
        let (intake, publisher) = Intake::new(vhost.url(), "clicks");
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        tasks.spawn(publisher.run(stop.clone()));
        let (ended, said) = (Arc::default(), Arc::default());
        Self { vhost, _database: database, kit, intake, tasks, stop, ended, said }
    }

    /// Starts the reader.
    fn read(&mut self) -> AbortHandle {
        let (kit, url) = (self.kit.clone(), self.vhost.url().to_owned());
        let (handler, stop) = (Arc::new(KeepClicks), self.stop.clone());
        self.tasks.spawn(stream::read(kit, url, "clicks", "reader", handler, stop))
    }

    /// Clicks so often, so many minutes ago.
    async fn click(&self, times: usize, minutes: i64) {
        for _ in 0..times {
            let click: Click =
                (Uuid::new_v4(), "page".to_owned(), Utc::now() - TimeDelta::minutes(minutes));
            self.intake.append(serde_json::to_vec(&click).unwrap()).await.unwrap();
        }
    }

    /// Waits until the reader has found its stream lost.
    async fn wait_for_restart(&self) {
        wait_for("the reader begins again", SOON, async || {
            match count(self.kit.pool(), "messaging.stream_offset where restarts > 0").await {
                0 => Err("not yet"),
                _ => Ok(()),
            }
        })
        .await
        .unwrap();
    }

    async fn kept(&self) -> i64 {
        count(self.kit.pool(), "click").await
    }

    async fn wait_for_kept(&self, least: i64) {
        wait_for("clicks have been kept", SOON, async || {
            let kept = self.kept().await;
            if kept >= least { Ok(()) } else { Err(kept) }
        })
        .await
        .unwrap();
    }

    async fn replay(&self, mode: Mode) -> Report {
        let projection = Projection::of("clicks")
            .table(Table::of("click"))
            .table(Table::of("page"))
            .scratch("received");
        self.rebuild(&projection, mode).await.unwrap()
    }

    /// Replays clicks by their times.
    async fn replay_timed(&self, mode: Mode) -> Result<Report, ReplayError> {
        let projection = Projection::of("clicks")
            .table(Table::of("click").since("at"))
            .scratch("page")
            .scratch("received");
        self.rebuild(&projection, mode).await
    }

    async fn rebuild(&self, projection: &Projection, mode: Mode) -> Result<Report, ReplayError> {
        self.rebuild_with(KeepClicks, projection, mode).await
    }

    async fn rebuild_with(
        &self,
        handler: impl StreamHandler,
        projection: &Projection,
        mode: Mode,
    ) -> Result<Report, ReplayError> {
        let newest = |body: &[u8]| serde_json::from_slice::<Click>(body).ok().map(|click| click.2);
        let tape = Tape {
            stream: "clicks",
            consumer: "reader",
            handler: Arc::new(handler),
            newest,
            not_before: None,
        };
        replay::from_stream(&self.kit, self.vhost.url(), projection, tape, mode).await
    }

    async fn shut_down(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            assert!(!ended.is_err_and(|error| error.is_panic()));
        }
    }
}

/// Clicks at a pace until told to end; every tenth click comes twice. Unpaced, what is to be replayed would grow as fast as a busy
/// machine can replay it.
async fn click(intake: Intake, ended: Arc<AtomicBool>, said: Arc<AtomicI64>) {
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        // Nothing comes between this look and the append: whoever has ended the test knows how much is said.
        if ended.load(Ordering::SeqCst) {
            break;
        }
        let number = said.fetch_add(1, Ordering::SeqCst);
        let click: Click = (Uuid::new_v4(), format!("page-{}", number % 5), Utc::now());
        let click = serde_json::to_vec(&click).unwrap();
        intake.append(click.clone()).await.unwrap();
        if number % 10 == 0 {
            // Whoever ends the test waits for the first of the two: the intake may be gone before the second is taken.
            let again = intake.append(click).await;
            assert!(again.is_ok() || ended.load(Ordering::SeqCst), "{again:?}");
        }
    }
}

#[tokio::test]
async fn a_projection_is_rebuilt_from_a_stream_under_load() {
    let clicks = Clicks::open().await;
    clicks.wait_for_kept(200).await;
    let sound = clicks.replay(Mode::Compare).await;
    assert_eq!(sound.differences, 0, "{sound:?}");
    assert!(sound.replayed >= 200, "{sound:?}");

    sqlx::raw_sql(
        "delete from click where no in (select no from click order by no limit 3);
         update click set page = 'nowhere' where no in (select no from click order by no limit 2);
         update page set clicks = clicks + 1000 where page = 'page-3'",
    )
    .execute(clicks.kit.pool())
    .await
    .unwrap();
    let kept = clicks.kept().await;
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

    // What comes after the swap is kept, and no click is lost or counted twice.
    clicks.wait_for_kept(kept + 100).await;
    clicks.ended.store(true, Ordering::SeqCst);
    wait_for("all clicks are kept and counted", SOON, async || {
        let said = clicks.said.load(Ordering::SeqCst);
        let pages: i64 = sqlx::query_scalar("select sum(clicks)::bigint from page")
            .fetch_one(clicks.kit.pool())
            .await
            .unwrap();
        let found = (clicks.kept().await, pages);
        if found == (said, said) { Ok(()) } else { Err(format!("{found:?} of {said}")) }
    })
    .await
    .unwrap();
    clicks.shut_down().await;
}

/// A stream that is declared anew begins with the offset zero, as one does that holds all there ever was.
#[tokio::test]
async fn rows_that_are_older_than_a_stream_declared_anew_are_left_alone() {
    let mut clicks = Clicks::open_idle().await;
    let reader = clicks.read();
    clicks.click(10, 10).await;
    clicks.wait_for_kept(10).await;

    // While nothing has been read of the new stream there is nothing to build from.
    lose_stream(clicks.vhost.url()).await;
    clicks.wait_for_restart().await;
    let lost = clicks.replay_timed(Mode::Swap).await;
    assert!(matches!(lost, Err(ReplayError::StreamLost("clicks"))), "{lost:?}");

    clicks.click(10, 5).await;
    clicks.click(10, 0).await;
    clicks.wait_for_kept(30).await;
    sqlx::raw_sql("delete from click where no in (select max(no) from click)")
        .execute(clicks.kit.pool())
        .await
        .unwrap();
    let found = clicks.replay_timed(Mode::Swap).await.unwrap();
    let click = &found.tables[0];
    assert_eq!((click.different, click.only_shadow, click.only_live), (0, 1, 0), "{found:?}");
    assert_eq!(clicks.kept().await, 30);
    let timeless = Projection::of("clicks").table(Table::of("click")).scratch("page");
    let timeless = clicks.rebuild(&timeless.scratch("received"), Mode::Swap).await;
    assert!(matches!(timeless, Err(ReplayError::Truncated("click"))), "{timeless:?}");

    // A loss that no reader has noticed is noticed by the replay.
    reader.abort();
    lose_stream(clicks.vhost.url()).await;
    clicks.click(30, 0).await;
    let lost = clicks.replay_timed(Mode::Swap).await;
    assert!(matches!(lost, Err(ReplayError::StreamLost("clicks"))), "{lost:?}");
    assert_eq!(clicks.kept().await, 30);
    clicks.shut_down().await;
}

#[tokio::test]
async fn a_reader_that_has_never_read_is_held_back_as_well() {
    let mut clicks = Clicks::open_idle().await;
    clicks.click(10, 0).await;
    // The reader starts in the middle of the replay's last step, which this makes last long enough.
    let projection = Projection::of("clicks")
        .table(Table::of("click"))
        .scratch("page")
        .scratch("received")
        .turn("select pg_sleep(3)");
    let (kit, url) = (clicks.kit.clone(), clicks.vhost.url().to_owned());
    let tape = Tape {
        stream: "clicks",
        consumer: "reader",
        handler: Arc::new(KeepClicks),
        newest: |_| None,
        not_before: None,
    };
    let mut replaying = JoinSet::new();
    replaying.spawn(async move {
        replay::from_stream(&kit, &url, &projection, tape, Mode::Swap).await.unwrap()
    });
    wait_for("the live reader is held back", SOON, async || {
        let last_steps = "pg_stat_activity where state = 'active' and query = 'select pg_sleep(3)'";
        match count(clicks.kit.pool(), last_steps).await {
            0 => Err("not yet"),
            _ => Ok(()),
        }
    })
    .await
    .unwrap();
    clicks.read();
    let found = replaying.join_next().await.unwrap().unwrap();
    assert_eq!((found.differences, found.replayed), (0, 0), "{found:?}");
    clicks.wait_for_kept(10).await;
    clicks.shut_down().await;
}

#[tokio::test]
async fn a_handler_that_never_comes_back_ends_a_replay() {
    let mut clicks = Clicks::open_idle().await;
    clicks.read();
    clicks.click(10, 0).await;
    clicks.wait_for_kept(10).await;
    let projection = Projection::of("clicks").table(Table::of("click"));
    let replaying = clicks.rebuild_with(Hang, &projection, Mode::Swap);
    let ended = timeout(SOON, replaying).await.expect("it has ended");
    assert!(matches!(ended, Err(ReplayError::HandlerFailed(_))), "{ended:?}");
    assert_eq!(clicks.kept().await, 10);
    clicks.shut_down().await;
}

/// What the live reader has read is not there and does not come: nobody waits for it, and it is no fault of the kit.
#[tokio::test]
async fn a_lost_stream_that_is_still_short_is_told_from_a_slow_one() {
    let mut clicks = Clicks::open_idle().await;
    let reader = clicks.read();
    clicks.click(10, 0).await;
    clicks.wait_for_kept(10).await;
    reader.abort();
    lose_stream(clicks.vhost.url()).await;
    clicks.click(5, 0).await;
    let lost = clicks.replay_timed(Mode::Swap).await;
    assert!(matches!(lost, Err(ReplayError::StreamLost("clicks"))), "{lost:?}");
    assert_eq!(clicks.kept().await, 10);
    clicks.shut_down().await;
}
