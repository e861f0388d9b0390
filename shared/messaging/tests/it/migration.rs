//! An installation of an earlier version is migrated: its data is kept, and processes of that version are refused.

use std::time::Duration;

use envelope::event;
use messaging::{
    Batch, Failure, Handler, MIGRATOR, MessagingRuntime, OnReject, Outbox, Subscription, Topology,
    Transaction, dead_letters,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, postgres::PgPoolOptions};
use testkit::{Database, Vhost, wait_for};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const TIMEOUT: Duration = Duration::from_secs(30);

/// The last version before the tables were renamed.
const BEFORE_RENAME: i64 = 20_261_123_000_012;

const REFUSAL: &str = "this database was migrated for a newer version of the program; \
                       stop this process and start the new version";

#[derive(Serialize, Deserialize, JsonSchema)]
struct LampLit {
    lamp: String,
}

event!(LampLit, "lamp.lit.v1", "lamp", event => event.lamp.as_str());

/// Records each event in the table `effect`.
struct RecordLamp;

impl Handler for RecordLamp {
    type Event = LampLit;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<LampLit>,
    ) -> Result<(), Failure> {
        for lit in batch.delivered() {
            sqlx::query_scalar::<_, i64>("insert into effect values ($1, $2) returning sequence")
                .bind(&lit.event.lamp)
                .bind(lit.sequence)
                .fetch_one(&mut **tx)
                .await?;
        }
        Ok(())
    }
}

fn topology() -> Topology {
    let subscription = Subscription::to("lamp", ["hall"], OnReject::Continue);
    Topology::new("hall").publishes::<LampLit>().subscribes(subscription.on(RecordLamp))
}

/// An envelope as the earlier version stored it.
fn envelope(lamp: &str, sequence: i64) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"01920000-0000-7000-8000-00000000000{sequence}","source":"hall","type":"lamp.lit.v1","subject":"{lamp}","time":"2026-11-22T08:00:00Z","sequence":"{sequence:019}","aggregate":"lamp","data":{{"lamp":"{lamp}"}}}}"#
    )
}

/// A database of the earlier version. One event is in the outbox, one is parked, one is a dead letter; and the rows that its
/// last process left behind.
async fn old_installation() -> (Database, PgPool) {
    let database = Database::create().await.unwrap();
    let options = messaging::with_session_timeouts(database.url().parse().unwrap());
    let pool = PgPoolOptions::new().max_connections(8).connect_with(options).await.unwrap();
    MIGRATOR.run_to(BEFORE_RENAME, &pool).await.unwrap();
    let (parked, dead) = (envelope("parked", 2), envelope("dead", 1));
    database
        .run(&format!(
            r#"
            create table effect (lamp text not null, sequence bigint not null);
            insert into messaging.sequence values ('lamp', 'published', 1), ('lamp', 'parked', 2), ('lamp', 'dead', 1);
            insert into messaging.outbox (event_id, kind, aggregate, key, slot, seq, time, data)
            values (gen_random_uuid(), 'lamp.lit.v1', 'lamp', 'published', {slot}, 1, now(), '{{"lamp":"published"}}');
            insert into messaging.cursor values
                ('hall.lamp', 'hall', 'lamp', 'parked', 1, 'parked'), ('hall.lamp', 'hall', 'lamp', 'dead', 1, 'free');
            insert into messaging.parked (consumer, source, aggregate, key, seq, slot, why, attempts, next_at, causes, envelope)
            values ('hall.lamp', 'hall', 'lamp', 'parked', 2, {parked_slot}, 'retry', 1, now(), '{{"it failed"}}', '{parked}');
            insert into messaging.dead_letter
                (id, consumer, source, aggregate, key, seq, event_id, kind, exchange, routing_key, reason, causes, attempts,
                 payload, blocks, passed)
            values ('01920000-0000-7000-8000-0000000000dd', 'hall.lamp', 'hall', 'lamp', 'dead', 1, gen_random_uuid(), 'lamp.lit.v1',
                'hall', 'lamp.0', 'bad', '{{"it was bad"}}', 1, convert_to('{dead}', 'utf8'), false, true);
            insert into messaging.member values ('01920000-0000-7000-8000-0000000000aa', 0, now() + interval '1 second');
            insert into messaging.lane select 'hall.lamp.' || n, '01920000-0000-7000-8000-0000000000aa' from generate_series(0, 1) n;
            insert into messaging.lease values ('relay', '01920000-0000-7000-8000-0000000000aa', 7, now() + interval '1 second');
            insert into messaging.relay_trouble (reason, until) values ('gone', now());
            "#,
            slot = envelope::Slot::of("published"),
            parked_slot = envelope::Slot::of("parked"),
        ))
        .await
        .unwrap();
    (database, pool)
}

async fn effects(pool: &PgPool) -> Vec<(String, i64)> {
    let effects = sqlx::query_as("select lamp, sequence from effect order by lamp, sequence");
    effects.fetch_all(pool).await.unwrap()
}

async fn count(pool: &PgPool, table: &str) -> i64 {
    let count = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
    sqlx::query_scalar(count).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn an_installation_survives_the_rename_of_tables() {
    let (_database, pool) = old_installation().await;
    MIGRATOR.run(&pool).await.unwrap();
    let vhost = Vhost::create().await.unwrap();
    let outbox = Outbox::new(pool.clone());
    let runtime = MessagingRuntime::new(outbox.clone(), vhost.url(), topology());
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    tasks.spawn(runtime.clone().relay(stop.clone()));
    tasks.spawn(runtime.consume(stop.clone()));

    let letter = "01920000-0000-7000-8000-0000000000dd".parse().unwrap();
    dead_letters::redrive(&outbox, &topology(), letter).await.unwrap();
    let expected =
        [("dead", 1), ("parked", 2), ("published", 1)].map(|(lamp, n)| (lamp.to_owned(), n));
    wait_for("the events of the old installation have taken effect", TIMEOUT, async || {
        let effects = effects(&pool).await;
        if effects == expected { Ok(()) } else { Err(format!("{effects:?}")) }
    })
    .await
    .unwrap();
    wait_for("outbox and parked events are empty", TIMEOUT, async || {
        let left = count(&pool, "messaging.outbox").await + count(&pool, "messaging.parked").await;
        if left == 0 { Ok(()) } else { Err(format!("{left} rows")) }
    })
    .await
    .unwrap();
    assert_eq!(count(&pool, "messaging.active_replica").await, 1);
    assert_eq!(count(&pool, "messaging.queue_assignment").await, 2);
    let epoch: i64 = sqlx::query_scalar("select epoch from messaging.process_lease")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(epoch, 8, "the lease was taken over");

    stop.cancel();
    while tasks.join_next().await.is_some() {}
    vhost.wait_until_drained(TIMEOUT).await.unwrap();
}

/// The statements of the earlier version that use an old name.
const OLD_STATEMENTS: [&str; 13] = [
    "insert into messaging.member as m (id, pid, expires_at)
     values (gen_random_uuid(), pg_backend_pid(), now() + interval '3 seconds')
     on conflict (id) do update set pid = excluded.pid, expires_at = excluded.expires_at",
    "delete from messaging.member where expires_at < now() - interval '1 minute'",
    "select id from messaging.living_member",
    "select m.id from unnest(array['hall.lamp.0']) with ordinality as u (queue, place)
     left join messaging.lane l on l.queue = u.queue
     left join messaging.living_member m on m.id = l.holder order by u.place",
    "insert into messaging.lane as l (queue, holder)
     select queue, gen_random_uuid() from unnest(array['hall.lamp.0', 'new']) as u (queue) order by queue
     on conflict (queue) do update set holder = excluded.holder
     where l.holder not in (select id from messaging.living_member) returning queue",
    "delete from messaging.lane where queue = 'hall.lamp.0'",
    "insert into messaging.lease as l (name, holder, epoch, expires_at)
     values ('relay', gen_random_uuid(), 1, now() + interval '3 seconds')
     on conflict (name) do update set holder = excluded.holder, epoch = l.epoch + 1
     where l.holder = excluded.holder or l.expires_at <= now() - interval '1 hour' or exists (
         select from messaging.member m
         where m.id = l.holder and not exists (select from pg_stat_get_activity(m.pid))
     )",
    // The holder renews its lease.
    "insert into messaging.lease as l (name, holder, epoch, expires_at)
     values ('relay', '01920000-0000-7000-8000-0000000000aa', 1, now() + make_interval(secs => 3))
     on conflict (name) do update set
         holder = excluded.holder,
         epoch = case when l.holder = excluded.holder then l.epoch else l.epoch + 1 end,
         expires_at = excluded.expires_at
     where l.holder = excluded.holder or l.expires_at <= now() or exists (
         select from messaging.member m
         where m.id = l.holder and not exists (select from pg_stat_get_activity(m.pid))
     )
     returning epoch",
    "update messaging.lease set expires_at = now()
     where name = 'relay' and holder = '01920000-0000-7000-8000-0000000000aa'",
    "with held as (
         select 1 from messaging.lease
         where name = 'relay' and holder = '01920000-0000-7000-8000-0000000000aa' and epoch = 7
         for share
     ), deleted as (
         delete from messaging.outbox where id = -1 and exists (select from held)
     )
     select exists (select from held)",
    "select (select reason from messaging.relay_trouble where until > now()) as trouble",
    "insert into messaging.relay_trouble (reason, until) values ('gone', now())
     on conflict (single) do update set reason = excluded.reason, until = excluded.until",
    "delete from messaging.relay_trouble",
];

#[tokio::test]
async fn a_statement_on_an_old_name_is_refused() {
    let (_database, pool) = old_installation().await;
    for statement in OLD_STATEMENTS {
        sqlx::raw_sql(statement).execute(&mut *pool.begin().await.unwrap()).await.unwrap();
    }
    MIGRATOR.run(&pool).await.unwrap();
    for statement in OLD_STATEMENTS {
        let error = sqlx::raw_sql(statement).execute(&pool).await.unwrap_err();
        let message = error.as_database_error().map(sqlx::error::DatabaseError::message);
        assert_eq!(message, Some(REFUSAL), "{statement}");
    }
    for (table, rows) in
        [("replica", 1), ("queue_assignment", 2), ("relay_outage", 1), ("process_lease", 1)]
    {
        assert_eq!(count(&pool, &format!("messaging.{table}")).await, rows, "{table}");
    }
}

#[tokio::test]
async fn an_interrupted_migration_succeeds_when_repeated() {
    let (database, pool) = old_installation().await;
    // The migration renames two tables and then waits for the lock on the third.
    let mut lock = pool.begin().await.unwrap();
    sqlx::raw_sql("lock table messaging.relay_trouble in access share mode")
        .execute(&mut *lock)
        .await
        .unwrap();
    let migrating = database.connect().await.unwrap();
    let mut migration = JoinSet::new();
    migration.spawn(async move { MIGRATOR.run(&migrating).await });
    wait_for("the migration waits and is ended", TIMEOUT, async || {
        let ended: Option<bool> = sqlx::query_scalar(
            "select pg_terminate_backend(pid) from pg_locks
             where relation = 'messaging.relay_trouble'::regclass and not granted",
        )
        .fetch_optional(&pool)
        .await
        .unwrap();
        ended.ok_or("it does not wait yet")
    })
    .await
    .unwrap();
    assert!(migration.join_next().await.unwrap().unwrap().is_err());
    assert_eq!(count(&pool, "messaging.lane").await, 2, "nothing is renamed");

    lock.rollback().await.unwrap();
    MIGRATOR.run(&pool).await.unwrap();
    assert_eq!(count(&pool, "messaging.queue_assignment").await, 2);
    assert_eq!(count(&pool, "messaging.outbox").await, 1);
    assert_eq!(count(&pool, "messaging.parked").await, 1);
    assert_eq!(count(&pool, "messaging.dead_letter").await, 1);
}
