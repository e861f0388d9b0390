//! A projection is rebuilt beside the live one, compared with it, and swapped in, while events keep arriving.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests use their own tables and the system clock"
)]

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use envelope::Event;
use messaging::{
    Batch, Failure, Handler, MIGRATOR, MessagingRuntime, OnReject, Outbox, Subscription, Topology,
    Transaction,
    replay::{self, Mode, Projection, ReplayError, ReplayReport, SnapshotSource, Table},
    snapshot::{Entry, Page},
};
use sqlx::PgPool;
use testkit::{Database, Vhost, wait_for};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::harness::{Rested, Stepped, TIMEOUT, count, outbox, wait_for_count};

/// Stores the position of each walk and emits an event. Rejects a step that is not the next one, so a lost or duplicated step becomes
/// a dead letter.
struct UpdatePosition;

impl Handler for UpdatePosition {
    type Event = Stepped;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<Stepped>,
    ) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            let Stepped { walk, number } = &delivered.event;
            let at: Option<i64> = sqlx::query_scalar("select number from position where walk = $1")
                .bind(walk)
                .fetch_optional(&mut **tx)
                .await?;
            if at.is_some_and(|at| at + 1 != *number) {
                return Err(Failure::reject("not_the_next", format!("{walk}: {at:?}, {number}")));
            }
            sqlx::query(
                "insert into position as p (walk, number, label) values ($1, $2, $3)
                 on conflict (walk) do update set number = excluded.number, label = excluded.label, change = default",
            )
            .bind(walk)
            .bind(number)
            .bind(format!("{walk} has come to {number}"))
            .execute(&mut **tx)
            .await?;
            tx.emit(&Rested { walk: walk.clone() })?;
        }
        Ok(())
    }
}

/// The owner of walks, and a service with a copy of their positions.
struct ReplayHarness {
    vhost: Vhost,
    owner: Outbox,
    copy: Outbox,
    _databases: [Database; 2],
}

impl ReplayHarness {
    async fn open() -> Self {
        let vhost = Vhost::create().await.unwrap();
        let owner_database = Database::migrated(&[&MIGRATOR]).await.unwrap();
        owner_database
            .run("create table walk (walk text primary key, number bigint not null)")
            .await
            .unwrap();
        let copy_database = Database::migrated(&[&MIGRATOR]).await.unwrap();
        copy_database
            .run(
                "create table position (
                    walk text primary key, number bigint not null, label text not null,
                    change bigint generated always as identity, constraint position_change unique (change)
                )",
            )
            .await
            .unwrap();
        let walks = Self {
            owner: outbox(owner_database.url()).await,
            copy: outbox(copy_database.url()).await,
            vhost,
            _databases: [owner_database, copy_database],
        };
        messaging::declare(walks.vhost.url(), &owner_topology()).await.unwrap();
        walks
    }

    fn start(&self, outbox: &Outbox, topology: Topology) -> Running {
        let messaging = MessagingRuntime::new(outbox.clone(), self.vhost.url(), topology);
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        tasks.spawn(messaging.clone().relay(stop.clone()));
        tasks.spawn(messaging.consume(stop.clone()));
        Running { tasks, stop }
    }

    fn start_owner(&self) -> Running {
        self.start(&self.owner, owner_topology())
    }

    fn start_copy(&self) -> Running {
        self.start(&self.copy, copy_topology())
    }

    /// Adds a step to each walk, all in one transaction.
    async fn step(&self, walks: &[String]) {
        step(&self.owner, walks).await;
    }

    async fn replay(&self, mode: Mode) -> Result<ReplayReport, ReplayError> {
        self.replay_from(owner(self.owner.pool().clone()), mode).await
    }

    async fn replay_from(
        &self,
        owner: SnapshotSource,
        mode: Mode,
    ) -> Result<ReplayReport, ReplayError> {
        let projection = projection();
        let (outbox, url) = (&self.copy, self.vhost.url());
        replay::from_snapshots(outbox, url, &copy_topology(), &projection, vec![owner], mode).await
    }

    /// Waits until the copy equals the owner row by row, and asserts that there are no dead letters.
    async fn wait_for_equality(&self) {
        let expected: Vec<(String, i64, String)> = sqlx::query_as(
            "select walk, number, format('%s has come to %s', walk, number) from walk order by walk",
        )
        .fetch_all(self.owner.pool())
        .await
        .unwrap();
        wait_for("the copy equals the owner", TIMEOUT, async || {
            let found: Vec<(String, i64, String)> =
                sqlx::query_as("select walk, number, label from position order by walk")
                    .fetch_all(self.copy.pool())
                    .await
                    .unwrap();
            let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
            let lengths = (found.len(), expected.len());
            if found == expected { Ok(()) } else { Err(format!("{differs:?}, {lengths:?}")) }
        })
        .await
        .unwrap();
        assert_eq!(self.dead_letters().await, Vec::<String>::new());
    }

    /// The reasons of the pending dead letters.
    async fn dead_letters(&self) -> Vec<String> {
        sqlx::query_scalar(
            "select reason || ': ' || array_to_string(causes, ', ') from messaging.dead_letter where state = 'pending'",
        )
        .fetch_all(self.copy.pool())
        .await
        .unwrap()
    }

    /// Waits until this number of replays is running.
    async fn wait_for_replays(&self, expected: i64) {
        wait_for("the number of running replays is reached", TIMEOUT, async || {
            let locks = "pg_locks where locktype = 'advisory' and granted
                and database = (select oid from pg_database where datname = current_database())";
            let held = count(self.copy.pool(), locks).await;
            if held == expected { Ok(()) } else { Err(held) }
        })
        .await
        .unwrap();
    }

    async fn damage(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(self.copy.pool()).await.unwrap();
    }
}

async fn step(owner: &Outbox, walks: &[String]) {
    let mut tx = owner.begin().await.unwrap();
    for walk in walks {
        let number = sqlx::query_scalar(
            "insert into walk as w (walk, number) values ($1, 1)
             on conflict (walk) do update set number = w.number + 1
             returning number",
        )
        .bind(walk)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
        tx.emit(&Stepped { walk: walk.clone(), number }).unwrap();
    }
    tx.commit().await.unwrap();
}

fn owner_topology() -> Topology {
    Topology::new("publisher").publishes::<Stepped>()
}

fn copy_topology() -> Topology {
    let subscription = Subscription::to(Stepped::AGGREGATE, ["publisher"], OnReject::BlockKey);
    Topology::new("consumer").publishes::<Rested>().subscribes(subscription.on(UpdatePosition))
}

fn projection() -> Projection {
    Projection::new("position").table(Table::new("position"))
}

/// The owner's snapshot, seven keys per page.
fn owner(pool: PgPool) -> SnapshotSource {
    SnapshotSource::new(Stepped::AGGREGATE, "publisher", move |after| {
        let pool = pool.clone();
        async move { Ok(page(&pool, after).await?) }
    })
}

async fn page(pool: &PgPool, after: Option<String>) -> Result<Page, sqlx::Error> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "select w.walk, w.number, s.last
         from walk w
         join messaging.sequence s on s.aggregate = 'walk' and s.key = w.walk
         where $1::text is null or w.walk > $1
         order by w.walk
         limit 7",
    )
    .bind(after)
    .fetch_all(pool)
    .await?;
    let next = (rows.len() == 7).then(|| rows[6].0.clone());
    let entry = |(walk, number, sequence)| Entry::of(&Stepped { walk, number }, sequence).unwrap();
    Ok(Page { items: rows.into_iter().map(entry).collect(), next })
}

struct Running {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Running {
    async fn shut_down(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number:03}")).collect()
}

/// Adds steps until stopped.
struct Load {
    task: JoinSet<()>,
    ended: Arc<AtomicBool>,
    steps: Arc<AtomicI64>,
}

impl Load {
    fn start(owner: &Outbox, walks: Vec<String>) -> Self {
        let (ended, steps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
        let (owner, is_over, counter) = (owner.clone(), ended.clone(), steps.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut turn = 0;
            while !is_over.load(Ordering::SeqCst) {
                let walk = |offset: usize| walks[(turn * 7 + offset) % walks.len()].clone();
                let mut some: Vec<String> = (0..5).map(walk).collect();
                some.sort();
                step(&owner, &some).await;
                counter.fetch_add(1, Ordering::SeqCst);
                turn += 1;
            }
        });
        Self { task, ended, steps }
    }

    async fn end(mut self) {
        self.ended.store(true, Ordering::SeqCst);
        while let Some(ended) = self.task.join_next().await {
            ended.unwrap();
        }
        assert!(self.steps.load(Ordering::SeqCst) > 0, "no event was published meanwhile");
    }
}

#[tokio::test]
async fn a_damaged_projection_is_found_and_repaired_under_load() {
    let walks = ReplayHarness::open().await;
    messaging::declare(walks.vhost.url(), &copy_topology()).await.unwrap();
    let (publisher, consumer) = (walks.start_owner(), walks.start_copy());
    // Resting walks show damage until it is repaired; moving walks show lost or duplicated events.
    let (resting, moving) = (names("resting", 20), names("moving", 40));
    for _ in 0..3 {
        walks.step(&resting).await;
    }
    walks.step(&moving).await;
    let load = Load::start(&walks.owner, moving);

    let sound = walks.replay(Mode::Compare).await.unwrap();
    assert_eq!((sound.differences, sound.swapped), (0, false), "{sound:?}");
    assert_eq!(sound.entries, 60);
    assert_eq!(sound.tables[0].live_rows, 60);

    walks
        .damage(
            "update position set label = 'nonsense' where walk in ('resting-001', 'resting-002', 'resting-003');
             delete from position where walk in ('resting-004', 'resting-005');
             insert into position (walk, number, label) values ('unknown', 1, 'not of the owner')",
        )
        .await;
    let last: i64 = sqlx::query_scalar("select max(change) from position")
        .fetch_one(walks.copy.pool())
        .await
        .unwrap();
    for mode in [Mode::Compare, Mode::Swap] {
        let found = walks.replay(mode).await.unwrap();
        let table = &found.tables[0];
        let counts = (table.different, table.only_shadow, table.only_live);
        assert_eq!(counts, (3, 2, 1), "{found:?}");
        assert_eq!(found.swapped, mode == Mode::Swap);
        assert_eq!(table.samples.len(), 6);
    }
    // Repaired rows have new change numbers.
    let repaired: Vec<String> = sqlx::query_scalar(
        "select walk from position where change > $1 and walk like 'resting%' order by walk",
    )
    .bind(last)
    .fetch_all(walks.copy.pool())
    .await
    .unwrap();
    let expected = ["001", "002", "003", "004", "005"].map(|number| format!("resting-{number}"));
    assert_eq!(repaired, expected);
    for mode in [Mode::Swap, Mode::Swap, Mode::Compare] {
        let sound = walks.replay(mode).await.unwrap();
        assert_eq!(sound.differences, 0, "{sound:?}");
    }
    load.end().await;
    walks.wait_for_equality().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_new_subscription_starts_with_the_owners_snapshot() {
    let walks = ReplayHarness::open().await;
    let publisher = walks.start_owner();
    // No subscription exists yet.
    let (resting, moving) = (names("resting", 10), names("moving", 30));
    for _ in 0..5 {
        walks.step(&resting).await;
        walks.step(&moving).await;
    }
    wait_for_count("all events are published", walks.owner.pool(), "messaging.outbox", 0).await;
    messaging::declare(walks.vhost.url(), &copy_topology()).await.unwrap();
    let consumer = walks.start_copy();
    // These wait for predecessors that never arrive.
    walks.step(&moving).await;
    wait_for_count("events are parked", walks.copy.pool(), "messaging.parked", 30).await;
    let load = Load::start(&walks.owner, moving);
    let report = walks.replay(Mode::Swap).await.unwrap();
    assert!(report.swapped);
    load.end().await;
    walks.wait_for_equality().await;
    assert_eq!(count(walks.copy.pool(), "messaging.parked").await, 0);
    let held = count(walks.copy.pool(), "messaging.cursor where hold <> 'free'").await;
    assert_eq!(held, 0);
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_replay_resolves_dead_letters_that_it_supersedes() {
    let walks = ReplayHarness::open().await;
    messaging::declare(walks.vhost.url(), &copy_topology()).await.unwrap();
    let (publisher, consumer) = (walks.start_owner(), walks.start_copy());
    let one = names("walk", 1);
    walks.step(&one).await;
    walks.wait_for_equality().await;
    // The next step is rejected and blocks its key; later steps wait.
    walks.damage("update position set number = 100").await;
    for _ in 0..4 {
        walks.step(&one).await;
    }
    wait_for("a step is rejected, and three wait", TIMEOUT, async || {
        let waiting = count(walks.copy.pool(), "messaging.parked").await;
        match (walks.dead_letters().await.len(), waiting) {
            (1, 3) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap();
    let report = walks.replay(Mode::Swap).await.unwrap();
    assert_eq!((report.ahead, report.differences), (1, 1), "{report:?}");
    walks.step(&one).await;
    walks.wait_for_equality().await;
    assert_eq!(count(walks.copy.pool(), "messaging.parked").await, 0);
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_killed_or_failed_replay_changes_nothing() {
    let walks = ReplayHarness::open().await;
    messaging::declare(walks.vhost.url(), &copy_topology()).await.unwrap();
    let (publisher, consumer) = (walks.start_owner(), walks.start_copy());
    walks.step(&names("walk", 20)).await;
    walks.wait_for_equality().await;
    walks.damage("update position set label = 'nonsense' where walk = 'walk-003'").await;
    let state = async || -> Vec<String> {
        let states = "select position::text from position
            union all select cursor::text from messaging.cursor
            union all select sequence::text from messaging.sequence
            order by 1";
        sqlx::query_scalar(states).fetch_all(walks.copy.pool()).await.unwrap()
    };
    let before = state().await;

    // The replay is killed between two pages.
    let pool = walks.owner.pool().clone();
    let stuck = SnapshotSource::new(Stepped::AGGREGATE, "publisher", move |after| {
        let pool = pool.clone();
        async move {
            if after.is_some() {
                std::future::pending::<()>().await;
            }
            Ok(page(&pool, after).await?)
        }
    });
    let filled = async {
        wait_for("the first page is in the shadow table", TIMEOUT, async || {
            let shadow: Option<String> = sqlx::query_scalar(
                "select nspname::text from pg_namespace where nspname like 'shadow_position_%'",
            )
            .fetch_optional(walks.copy.pool())
            .await
            .unwrap();
            let Some(shadow) = shadow else { return Err(0) };
            let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
                "select count(*) from {shadow}.position"
            )))
            .fetch_one(walks.copy.pool())
            .await
            .unwrap_or_default();
            if rows == 7 { Ok(()) } else { Err(rows) }
        })
        .await
        .unwrap();
    };
    tokio::select! {
        ended = walks.replay_from(stuck.clone(), Mode::Swap) => panic!("the replay ended: {ended:?}"),
        () = filled => {}
    }
    assert_eq!(state().await, before);

    // A second concurrent replay is rejected.
    walks.wait_for_replays(0).await;
    let busy = tokio::select! {
        ended = walks.replay_from(stuck.clone(), Mode::Swap) => panic!("the replay ended: {ended:?}"),
        busy = async {
            walks.wait_for_replays(1).await;
            walks.replay(Mode::Swap).await
        } => busy,
    };
    assert!(matches!(busy, Err(ReplayError::Busy)), "{busy:?}");

    walks.wait_for_replays(0).await;

    // The snapshot is older than the live projection.
    let empty =
        SnapshotSource::new(Stepped::AGGREGATE, "publisher", |_| async { Ok(Page::default()) });
    let behind = walks.replay_from(empty, Mode::Swap);
    let behind = behind.await;
    assert!(matches!(behind, Err(ReplayError::Behind { .. })), "{behind:?}");
    assert_eq!(state().await, before);

    // The next replay is not affected by them, and repairs without emitting events.
    walks.wait_for_replays(0).await;
    let report = walks.replay(Mode::Swap).await.unwrap();
    assert_eq!(report.differences, 1);
    let emitted: i64 = sqlx::query_scalar("select sum(last)::bigint from messaging.sequence")
        .fetch_one(walks.copy.pool())
        .await
        .unwrap();
    assert_eq!(emitted, 20);
    assert_eq!(count(walks.copy.pool(), "pg_namespace where nspname like 'shadow_%'").await, 0);
    walks.wait_for_equality().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_snapshot_of_unhandled_types_is_rejected() {
    let walks = ReplayHarness::open().await;
    messaging::declare(walks.vhost.url(), &copy_topology()).await.unwrap();
    let (publisher, consumer) = (walks.start_owner(), walks.start_copy());
    walks.step(&names("walk", 3)).await;
    walks.wait_for_equality().await;
    let pool = walks.owner.pool().clone();
    let ahead = SnapshotSource::new(Stepped::AGGREGATE, "publisher", move |after| {
        let pool = pool.clone();
        async move {
            let Page { items, next } = page(&pool, after).await?;
            let newer = |entry: Entry| Entry { kind: "walk.stepped.v2".to_owned(), ..entry };
            Ok(Page { items: items.into_iter().map(newer).collect(), next })
        }
    });
    let refused = walks.replay_from(ahead, Mode::Swap).await;
    assert!(matches!(refused, Err(ReplayError::Rejected { .. })), "{refused:?}");
    walks.wait_for_equality().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_write_outside_the_projection_ends_the_replay() {
    let walks = ReplayHarness::open().await;
    messaging::declare(walks.vhost.url(), &copy_topology()).await.unwrap();
    walks.damage("create table elsewhere (only_row int primary key)").await;
    let (publisher, consumer) = (walks.start_owner(), walks.start_copy());
    walks.step(&names("walk", 3)).await;
    walks.wait_for_equality().await;
    // The handler writes to a table outside the projection.
    let projection = Projection::new("elsewhere").table(Table::new("elsewhere"));
    let owners = vec![owner(walks.owner.pool().clone())];
    walks.damage("delete from position").await;
    let (outbox, url) = (&walks.copy, walks.vhost.url());
    let ended =
        replay::from_snapshots(outbox, url, &copy_topology(), &projection, owners, Mode::Swap)
            .await;
    let is_outside = matches!(&ended, Err(ReplayError::Messaging(messaging::Error::OutsideShadow(table))) if table == "public.position");
    assert!(is_outside, "{ended:?}");
    assert_eq!(count(walks.copy.pool(), "position").await, 0);
    publisher.shut_down().await;
    consumer.shut_down().await;
}
