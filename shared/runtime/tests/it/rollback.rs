//! A release is rolled back: an older program on the database of a newer one.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
    time::Duration,
};

use chrono::DateTime;
use contracts::inventory::{STOCK, StockChangedV1};
use messaging::{
    Batch, Failure, Handler, MessagingRuntime, OnReject, Outbox, Subscription, Topology,
    Transaction,
};
use runtime::{
    config,
    database::{self, DatabaseError},
    schema_compatibility::Incompatible,
};
use sqlx::{
    PgPool, SqlSafeStr as _,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};
use testkit::{Database, Vhost, wait_for};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{DEADLINE, SERVICE};

const CREATE: (i64, &str) = (
    1,
    "create table tally (sku text, number bigint, written_by text not null default 'old', place bigint generated always as identity)",
);
const EXPAND: (i64, &str) =
    (2, "-- compatible-with: 1\nalter table tally add column note text default 'none';");
const INDEX: (i64, &str) = (
    3,
    "-- no-transaction\n-- compatible-with: 1\ncreate index concurrently tally_sku on tally (sku);",
);
const CONTRACT: (i64, &str) =
    (4, "-- compatible-with: 2\nalter table tally alter column note set not null;");
const WITHOUT_LIMIT: (i64, &str) = (5, "alter table tally drop column note;");

/// A release of the program, with these migrations.
fn release(migrations: &[(i64, &'static str)]) -> Migrator {
    let migration = |(version, sql): &(i64, &'static str)| {
        let no_tx = sql.starts_with("-- no-transaction");
        let (kind, sql) = (MigrationType::Simple, (*sql).into_sql_str());
        Migration::new(*version, format!("step {version}").into(), kind, sql, no_tx)
    };
    let mut release = Migrator::with_migrations(migrations.iter().map(migration).collect());
    release.dangerous_set_table_name("tally_migrations");
    release
}

async fn migrate(database: &Database, release: &Migrator) -> Result<(), DatabaseError> {
    let migrators = [&messaging::MIGRATOR, release];
    let config = config::Database::at(database.url());
    Box::pin(database::migrate(&SERVICE, &config, &migrators)).await
}

fn incompatible(result: Result<(), DatabaseError>) -> Incompatible {
    match result {
        Err(DatabaseError::Incompatible(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_older_program_works_within_the_limits_of_migrations() {
    let database = Database::create().await.unwrap();
    let old = release(&[CREATE]);
    let new = release(&[CREATE, EXPAND, INDEX]);
    let contracted = release(&[CREATE, EXPAND, INDEX, CONTRACT]);
    migrate(&database, &old).await.unwrap();
    migrate(&database, &new).await.unwrap();
    migrate(&database, &old).await.unwrap();
    migrate(&database, &new).await.unwrap();
    migrate(&database, &contracted).await.unwrap();
    migrate(&database, &new).await.unwrap();
    let table = || "tally_migrations".to_owned();
    let reason = incompatible(migrate(&database, &old).await);
    let expected = Incompatible::Contracted {
        table: table(),
        migration: "4 (step 4)".to_owned(),
        needed: 2,
        newest: 1,
    };
    assert_eq!(reason, expected);
    let text = reason.to_string();
    assert!(text.contains("4 (step 4) of tally_migrations") && text.contains("is 1"), "{text}");

    // `serve` does not migrate, and checks the same.
    let pool = database.connect().await.unwrap();
    database::check_schema(&pool, &[&messaging::MIGRATOR, &new]).await.unwrap();
    let serving = database::check_schema(&pool, &[&messaging::MIGRATOR, &old]).await;
    assert_eq!(incompatible(serving), expected);

    // Without a stated limit, only programs that know the migration work.
    let last = release(&[CREATE, EXPAND, INDEX, CONTRACT, WITHOUT_LIMIT]);
    migrate(&database, &last).await.unwrap();
    let reason = incompatible(migrate(&database, &contracted).await);
    assert!(matches!(reason, Incompatible::Contracted { needed: 5, .. }), "{reason}");
}

#[tokio::test]
async fn a_rollback_still_verifies_checksums_and_branches() {
    let database = Database::create().await.unwrap();
    migrate(&database, &release(&[CREATE, EXPAND, INDEX])).await.unwrap();
    let edited = release(&[(1, "create table tally (sku text)")]);
    let changed = migrate(&database, &edited).await;
    let mismatch = DatabaseError::Migration(MigrateError::VersionMismatch(1));
    assert_eq!(format!("{changed:?}"), format!("{:?}", Err::<(), _>(mismatch)));
    let branch = release(&[CREATE, (7, "-- compatible-with: 1\nselect 1;")]);
    let reason = incompatible(migrate(&database, &branch).await);
    let table = "tally_migrations".to_owned();
    assert_eq!(reason, Incompatible::Diverged { table, missing: 7, unknown: 2 });

    // A program that died between a migration and the record of its limit.
    database.run("delete from schema_compatibility where version = 3").await.unwrap();
    let old = release(&[CREATE]);
    let reason = incompatible(migrate(&database, &old).await);
    let table = "tally_migrations".to_owned();
    assert_eq!(reason, Incompatible::Unrecorded { table, version: 3 });
    migrate(&database, &release(&[CREATE, EXPAND, INDEX])).await.unwrap();
    migrate(&database, &old).await.unwrap();
}

/// The same for the schema of the kit, as a future release may extend it.
#[tokio::test]
async fn the_messaging_schema_may_be_newer_than_the_program() {
    let database = Database::create().await.unwrap();
    let future = |sql: &'static str| {
        let sql = sql.into_sql_str();
        let newest =
            Migration::new(20_991_231_000_000, "future".into(), MigrationType::Simple, sql, false);
        let all = messaging::MIGRATOR.iter().cloned().chain([newest]).collect();
        let mut future = Migrator::with_migrations(all);
        future.dangerous_set_table_name("messaging.migrations");
        future.create_schema("messaging");
        future
    };
    let newest = messaging::MIGRATOR.iter().map(|migration| migration.version).max().unwrap();
    let expand: &'static str = Box::leak(
        format!("-- compatible-with: {newest}\nalter table messaging.outbox add note text;")
            .into_boxed_str(),
    );
    let config = config::Database::at(database.url());
    let migrate = async |migrator: &Migrator| {
        Box::pin(database::migrate(&SERVICE, &config, &[migrator])).await
    };
    migrate(&future(expand)).await.unwrap();
    migrate(&messaging::MIGRATOR).await.unwrap();
    let other = Database::create().await.unwrap();
    let config = config::Database::at(other.url());
    let contracting = future("drop table messaging.outbox;");
    Box::pin(database::migrate(&SERVICE, &config, &[&contracting])).await.unwrap();
    let refused = Box::pin(database::migrate(&SERVICE, &config, &[&messaging::MIGRATOR])).await;
    assert!(matches!(incompatible(refused), Incompatible::Contracted { .. }));
}

/// Records each change of stock, as its release does.
struct WriteTally {
    is_new: bool,
}

impl Handler for WriteTally {
    type Event = StockChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockChangedV1>,
    ) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            let insert = if self.is_new {
                "insert into tally (sku, number, written_by, note) values ($1, $2, 'new', 'n') returning place"
            } else {
                "insert into tally (sku, number, written_by) values ($1, $2, 'old') returning place"
            };
            let _: i64 = sqlx::query_scalar(insert)
                .bind(delivered.event.sku.as_str())
                .bind(delivered.event.on_hand)
                .fetch_one(&mut **tx)
                .await?;
        }
        Ok(())
    }
}

/// An instance of a program.
struct Instance {
    tasks: JoinSet<()>,
    consumers: CancellationToken,
    relay: CancellationToken,
}

impl Instance {
    async fn start(database: &Database, vhost: &Vhost, topology: Topology) -> (Self, Outbox) {
        let options = messaging::with_session_timeouts(database.url().parse().unwrap());
        let pool = sqlx::postgres::PgPoolOptions::new().max_connections(8);
        let outbox = Outbox::new(pool.connect_with(options).await.unwrap());
        let runtime = MessagingRuntime::new(outbox.clone(), vhost.url(), topology);
        let (relay, consumers) = (CancellationToken::new(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(runtime.clone().relay(relay.clone()));
        tasks.spawn(runtime.consume(consumers.clone()));
        (Self { tasks, consumers, relay }, outbox)
    }

    async fn shut_down(mut self) {
        self.consumers.cancel();
        self.tasks.join_next().await;
        self.relay.cancel();
        self.tasks.join_next().await;
    }
}

/// The topology of both releases of the program.
fn topology(is_new: bool) -> Topology {
    let subscription = Subscription::to(STOCK, ["publisher"], OnReject::BlockKey);
    Topology::new("tally").subscribes(subscription.on(WriteTally { is_new }))
}

const SKUS: [&str; 6] = ["A", "B", "C", "D", "E", "F"];

/// Publishes one change of each SKU every few milliseconds until `over`.
async fn publish_until(over: &AtomicBool, outbox: &Outbox, last: &AtomicI64) {
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    while !over.load(Ordering::Relaxed) {
        pace.tick().await;
        let number = last.load(Ordering::Relaxed) + 1;
        let mut tx = outbox.begin().await.unwrap();
        for sku in SKUS {
            let changed = StockChangedV1 {
                sku: sku.parse().unwrap(),
                version: number.try_into().unwrap(),
                on_hand: number,
                reserved: 0,
                available: number,
                changed_at: DateTime::UNIX_EPOCH,
            };
            tx.emit(&changed).unwrap();
        }
        tx.commit().await.unwrap();
        last.store(number, Ordering::Relaxed);
    }
}

/// Waits until a release has written so many more rows.
async fn wait_for_work(pool: &PgPool, release: &str) {
    let count = async || -> i64 {
        sqlx::query_scalar("select count(*) from tally where written_by = $1")
            .bind(release)
            .fetch_one(pool)
            .await
            .unwrap()
    };
    let before = count().await;
    wait_for(&format!("the {release} release works"), DEADLINE, async || {
        let written = count().await - before;
        if written >= 60 { Ok(()) } else { Err(format!("{written}")) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn two_releases_side_by_side_lose_no_event() {
    let (database, publisher_database) = (
        Database::create().await.unwrap(),
        Database::migrated(&[&messaging::MIGRATOR]).await.unwrap(),
    );
    let vhost = Vhost::create().await.unwrap();
    let (old, new) = (release(&[CREATE]), release(&[CREATE, EXPAND, INDEX]));
    migrate(&database, &old).await.unwrap();
    messaging::declare(vhost.url(), &topology(false)).await.unwrap();
    let (publisher, outbox) =
        Instance::start(&publisher_database, &vhost, Topology::new("publisher")).await;
    let (over, last) = (AtomicBool::new(false), AtomicI64::new(0));
    let pool = database.connect().await.unwrap();
    let releases = async {
        let (first, _) = Instance::start(&database, &vhost, topology(false)).await;
        wait_for_work(&pool, "old").await;
        migrate(&database, &new).await.unwrap();
        let (second, _) = Instance::start(&database, &vhost, topology(true)).await;
        wait_for_work(&pool, "new").await;
        wait_for_work(&pool, "old").await;
        first.shut_down().await;
        wait_for_work(&pool, "new").await;
        // Back: the older release runs its own `migrate` first, as a deployment does.
        migrate(&database, &old).await.unwrap();
        let (third, _) = Instance::start(&database, &vhost, topology(false)).await;
        wait_for_work(&pool, "old").await;
        second.shut_down().await;
        wait_for_work(&pool, "old").await;
        // And forward again.
        migrate(&database, &new).await.unwrap();
        let (fourth, _) = Instance::start(&database, &vhost, topology(true)).await;
        wait_for_work(&pool, "new").await;
        third.shut_down().await;
        over.store(true, Ordering::Relaxed);
        fourth
    };
    let (fourth, ()) = tokio::join!(Box::pin(releases), publish_until(&over, &outbox, &last));
    let last = last.load(Ordering::Relaxed);
    for sku in SKUS {
        wait_for("every event took effect once, in order", DEADLINE, async || {
            let numbers: Vec<i64> =
                sqlx::query_scalar("select number from tally where sku = $1 order by place")
                    .bind(sku)
                    .fetch_all(&pool)
                    .await
                    .unwrap();
            let is_done = numbers == (1..=last).collect::<Vec<_>>();
            if is_done { Ok(()) } else { Err(format!("{} of {last}", numbers.len())) }
        })
        .await
        .unwrap();
    }
    vhost.wait_until_drained(DEADLINE).await.unwrap();
    fourth.shut_down().await;
    publisher.shut_down().await;
}
