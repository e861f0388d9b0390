//! Parked events: retries that hang hold up no queue, and the work for an event does not grow with their number.

use std::time::{Duration, Instant};

use envelope::Slot;
use messaging::OnReject;
use sqlx::{AssertSqlSafe, PgPool};
use testkit::wait_for;

use crate::harness::{Harness, TIMEOUT, outbox, wait_for_count};

/// More than a replica retries at the same time.
const HANGING: i64 = 6;

/// How many keys a replica retries at the same time.
const MAX_RETRIES: i64 = 4;

/// Much less than the hanging statements take.
const SOON: Duration = Duration::from_secs(12);

/// The hanging events would hold up their slot groups, if their retries ran in the tasks of the queues.
#[tokio::test]
async fn hanging_retries_hold_up_no_queue() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let hanging: Vec<String> = (0..HANGING).map(|walk| format!("hanging-{walk}")).collect();
    let names: Vec<&str> = hanging.iter().map(String::as_str).collect();
    harness
        .behavior
        .retry
        .lock()
        .unwrap()
        .extend(hanging.iter().map(|walk| (walk.clone(), u32::MAX)));
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&names, 1..=1).await;
    let pool = harness.consumer.pool();
    let retries = "messaging.parked where why = 'retry'";
    wait_for_count("all events wait for a retry", pool, retries, HANGING).await;
    // They hang in a statement: PostgreSQL would end a transaction that is idle.
    let hang = hanging.iter().map(|walk| (walk.clone(), "select pg_sleep(20)"));
    harness.behavior.sql.lock().unwrap().extend(hang);
    harness.behavior.retry.lock().unwrap().clear();
    // A running retry has locked its event.
    let free = "(select from messaging.parked for update skip locked) free";
    wait_for_count("some retries hang", pool, free, HANGING - MAX_RETRIES).await;

    let began = Instant::now();
    let others: Vec<String> = (0..20).map(|walk| format!("walk-{walk}")).collect();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    harness.publish_steps(&others, 1..=2).await;
    harness.publish_steps(&names, 2..=2).await;
    for walk in &others {
        harness.wait_for_effects(walk, &[1, 2]).await;
    }
    // Not even later events of the same keys wait in the queue.
    wait_for_count("later events are parked", pool, "messaging.parked", 2 * HANGING).await;
    harness.vhost.wait_until_drained(TIMEOUT).await.unwrap();
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());

    // A stop interrupts the hanging retries after its grace period. The events stay, in their order, and are due when the statements
    // have ended in the database.
    let stopping = Instant::now();
    consumer.shut_down().await;
    assert!(stopping.elapsed() < SOON, "{:?}", stopping.elapsed());
    harness.behavior.sql.lock().unwrap().clear();
    let consumer = harness.start_consumer();
    for walk in &names {
        harness.wait_for_effects(walk, &[1, 2]).await;
    }
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// A statement per batch parks its events, whatever their number.
#[tokio::test]
async fn the_events_of_a_batch_are_parked_together() {
    const WALKS: i64 = 2_000;
    let harness = Harness::open(OnReject::BlockKey).await;
    let pool = harness.consumer.pool();
    sqlx::raw_sql(
        "create sequence statements;
         create function count_statement() returns trigger language plpgsql as $$ begin
            perform nextval('statements'); return null;
         end $$;
         create trigger count_statement after insert on messaging.parked execute function count_statement()",
    )
    .execute(pool)
    .await
    .unwrap();
    // The first step of each walk is missing, and all are in the outbox before the relay starts.
    let walks: Vec<String> = (0..WALKS).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    harness.publish_steps(&names, 1..=2).await;
    sqlx::raw_sql("delete from messaging.outbox where seq = 1")
        .execute(harness.publisher.pool())
        .await
        .unwrap();
    let publisher = harness.start_publisher();
    harness.wait_until_published().await;
    let (began, consumer) = (Instant::now(), harness.start_consumer());
    wait_for_count("all events are parked", pool, "messaging.parked", WALKS).await;
    let seconds = began.elapsed().as_secs_f64();
    let statements: i64 =
        sqlx::query_scalar("select last_value from statements").fetch_one(pool).await.unwrap();
    println!("{WALKS} events are parked by {statements} statements in {seconds:.1} s");
    assert!(statements <= WALKS / 20, "{statements} statements");
    // Each of them waits for its predecessor on its own.
    let waiting = "messaging.parked where next_at > now() + interval '20 seconds'";
    wait_for_count("all wait for their predecessors", pool, waiting, WALKS).await;
    harness.vhost.wait_until_drained(TIMEOUT).await.unwrap();
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// What all statements have read of the parked events: rows, and blocks of the table and its indexes.
async fn read_so_far(pool: &PgPool) -> (i64, i64) {
    sqlx::query_as(
        "select (seq_tup_read + idx_tup_fetch)::bigint,
            (heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read)::bigint
         from pg_stat_user_tables join pg_statio_user_tables using (relid)
         where relid = 'messaging.parked'::regclass",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Most keys have one event that waits for a retry. A tenth of the events is of one key. The planner has no statistics.
async fn park_many(pool: &PgPool, rows: i64) {
    let (others, hot, slot) = (rows * 9 / 10, rows / 10, Slot::of("hot").number());
    let fill = format!(
        "alter table messaging.parked set (autovacuum_enabled = false);
         alter table messaging.cursor set (autovacuum_enabled = false);
         insert into messaging.cursor values ('consumer.walk', 'publisher', 'walk', 'hot', 1, 'parked');
         insert into messaging.parked (consumer, source, aggregate, key, seq, slot, why, attempts, next_at, causes, envelope)
         select 'consumer.walk', 'publisher', 'walk', 'other-' || n, 1, n % 16, 'retry', 1, now() + interval '1 hour', '{{}}', '{{}}'
         from generate_series(1, {others}) n;
         insert into messaging.parked (consumer, source, aggregate, key, seq, slot, why, attempts, next_at, causes, envelope)
         select 'consumer.walk', 'publisher', 'walk', 'hot', n + 1, {slot}, case n when 1 then 'retry' else 'behind' end, 0,
            case n when 1 then now() + interval '1 hour' end, '{{}}', '{{}}'
         from generate_series(1, {hot}) n",
    );
    // Without a statement timeout.
    let pool = PgPool::connect_with(
        (*pool.connect_options()).clone().options([("statement_timeout", "0")]),
    )
    .await
    .unwrap();
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(&pool).await.unwrap();
    pool.close().await;
}

/// `PARKED_ROWS` sets the number. The bounds are on what is read, not on the time.
#[tokio::test]
async fn the_cost_of_parking_does_not_grow() {
    const STEPS: i64 = 100;
    let rows = std::env::var("PARKED_ROWS").map_or(1_000_000, |rows| rows.parse().unwrap());
    let harness = Harness::open(OnReject::BlockKey).await;
    let pool = harness.consumer.pool();
    park_many(pool, rows).await;
    let last = format!("insert into messaging.sequence values ('walk', 'hot', {})", rows / 10 + 1);
    sqlx::raw_sql(AssertSqlSafe(last)).execute(harness.publisher.pool()).await.unwrap();
    let before = read_so_far(pool).await;

    let began = Instant::now();
    harness.behavior.retry.lock().unwrap().insert("retried".to_owned(), 3);
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["retried"], 1..=3).await;
    for number in 1..=STEPS {
        harness.publish_steps(&["hot", "plain"], number..=number).await;
    }
    harness.wait_for_effects("plain", &(1..=STEPS).collect::<Vec<_>>()).await;
    harness.wait_for_effects("retried", &[1, 2, 3]).await;
    // A count would read the parked events as well.
    harness.wait_until_published().await;
    harness.vhost.wait_until_drained(TIMEOUT).await.unwrap();
    let seconds = began.elapsed().as_secs_f64();
    publisher.shut_down().await;
    consumer.shut_down().await;
    let url = harness.consumer_url().to_owned();
    // A session reports what it has read when it ends.
    pool.close().await;
    let observer = outbox(&url).await;
    let after = wait_for("the statistics are complete", TIMEOUT, async || {
        let first = read_so_far(observer.pool()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let second = read_so_far(observer.pool()).await;
        if first == second { Ok(second) } else { Err("they still change") }
    })
    .await
    .unwrap();
    let (read, blocks) = (after.0 - before.0, after.1 - before.1);
    println!(
        "{rows} parked: read {read} rows and {blocks} blocks for {STEPS} steps in {seconds:.1} s"
    );
    assert!(read < 20 * STEPS, "{read} rows");
    assert!(blocks < 100 * STEPS, "{blocks} blocks");
}
