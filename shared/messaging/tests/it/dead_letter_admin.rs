//! Administration of dead letters: group, show, edit, dry-run, redrive and discard, one or many.

#![expect(
    clippy::disallowed_methods,
    reason = "the tests insert dead letters and effects themselves"
)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use envelope::{Event, Slot, schema::violations::ViolationKind};
use messaging::{
    Batch, Failure, Handler, OnReject, Subscription, Topology, Transaction,
    dead_letters::{
        DryRunOutcome, EditError, Pace, ResolveError, Selection, discard, discard_many, dry_run,
        edit, groups, list, redrive, redrive_many, show,
    },
};
use serde_json::value::{RawValue, to_raw_value};
use sqlx::PgPool;
use testkit::{DataDir, Process, wait_for};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::harness::{Harness, Rested, Stepped, TIMEOUT, count, outbox, start_test_process};

/// No limit on rate or number.
const FAST: Pace =
    Pace { per_second: 100_000, at_most: 1_000_000, within: Duration::from_mins(1), after: None };

/// Inserts step `number` of a walk as a dead letter behind the cursor, with `data`; blocks the key if `blocks`.
async fn insert_dead_letter(
    pool: &PgPool,
    walk: &str,
    number: i64,
    data: &str,
    causes: &[&str],
    blocks: bool,
) -> Uuid {
    let id = Uuid::now_v7();
    let envelope = format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"publisher","type":"walk.stepped.v1","subject":"{walk}",
        "time":"2026-11-22T08:00:00Z","sequence":"{number}","aggregate":"walk","data":{data}}}"#
    );
    let _: Vec<i32> = sqlx::query_scalar(
        "with moved as (
            insert into messaging.cursor (consumer, source, aggregate, key, last, hold)
            values ('consumer.walk', 'publisher', 'walk', $2, $3, case when $6 then 'blocked' else 'free' end)
            on conflict (consumer, source, aggregate, key) do update set last = greatest(cursor.last, excluded.last)
        )
        insert into messaging.dead_letter
            (id, consumer, source, aggregate, key, seq, event_id, kind, exchange, routing_key, reason, causes, attempts,
             payload, blocks, passed)
        values ($1, 'consumer.walk', 'publisher', 'walk', $2, $3, $1, 'walk.stepped.v1', 'publisher', 'walk.3', 'rejected_by_test',
            $4, 1, $5, $6, true)
        returning 1",
    )
    .bind(id)
    .bind(walk)
    .bind(number)
    .bind(causes)
    .bind(envelope.as_bytes())
    .bind(blocks)
    .fetch_all(pool)
    .await
    .unwrap();
    id
}

fn step(walk: &str, number: i64) -> String {
    format!(r#"{{"walk":"{walk}","number":{number}}}"#)
}

fn raw(json: &str) -> Box<RawValue> {
    to_raw_value(&serde_json::from_str::<serde_json::Value>(json).unwrap()).unwrap()
}

async fn insert_malformed(pool: &PgPool, payload: &str) -> Uuid {
    let id = Uuid::now_v7();
    let _: i32 = sqlx::query_scalar(
        "insert into messaging.dead_letter (id, consumer, exchange, routing_key, reason, causes, attempts, payload, blocks, passed)
        values ($1, 'consumer.walk', 'publisher', 'walk.3', 'undecodable', '{no batch}', 1, $2, false, false) returning 1",
    )
    .bind(id)
    .bind(payload.as_bytes())
    .fetch_one(pool)
    .await
    .unwrap();
    id
}

/// Waits until a session of this database waits for a lock.
async fn wait_for_lock_waiter(pool: &PgPool) {
    let waiting =
        "pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    wait_for("a session waits for a lock", TIMEOUT, async || match count(pool, waiting).await {
        0 => Err("none"),
        _ => Ok(()),
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn dead_letters_with_similar_causes_form_one_group() {
    let harness = Harness::open(OnReject::Continue).await;
    let pool = harness.consumer.pool();
    let causes = [
        ["the stock is wrong", "SKU PL-NUANTU-60-BLU: 3 pieces are 4 too many"],
        ["another attempt", "SKU XY-7: 12 pieces are 1 too many\nat line 17"],
        ["the stock is wrong", "product.changed.v1 says \"red\""],
    ];
    let mut ids = Vec::new();
    for (number, causes) in (1..).zip(&causes) {
        ids.push(
            insert_dead_letter(pool, "w", number, &step("w", number), causes, number == 1).await,
        );
    }
    insert_malformed(pool, "不是 json").await;
    let all = groups(&mut pool.acquire().await.unwrap()).await.unwrap();
    let found: Vec<_> =
        all.iter().map(|one| (one.cause.as_str(), one.count, one.blocking)).collect();
    let expected = [
        ("SKU …: … pieces are … too many", 2, 1),
        ("product.changed.v1 says \"…\"", 1, 0),
        ("no batch", 1, 0),
    ];
    assert_eq!(found, expected);
    assert_eq!((all[0].example, all[0].kind.as_deref()), (ids[1], Some("walk.stepped.v1")));
    assert!(all[0].oldest < all[0].newest);
    assert_eq!(all[2].kind, None);
    // A group can be used as a selection.
    let cause = Some(all[0].cause.clone());
    let selection = Selection { cause, kind: all[0].kind.clone(), ..Selection::default() };
    let done =
        redrive_many(&harness.consumer, &harness.consumer_topology(), &selection, FAST).await;
    assert_eq!(done.unwrap().redriven, 2);
    assert_eq!(harness.effects("w").await, [1, 2]);
}

#[tokio::test]
async fn a_dead_letter_is_shown_with_its_schema_violations() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let pool = harness.consumer.pool();
    let id = insert_dead_letter(pool, "w", 1, r#"{"walk":17,"colour":"red"}"#, &["no"], true).await;
    let topology = harness.consumer_topology();
    let read = async |id| show(&mut pool.acquire().await.unwrap(), &topology, id).await.unwrap();
    let shown = read(id).await.unwrap();
    let dead_letter = &shown.letter;
    assert_eq!(
        (dead_letter.exchange.as_deref(), dead_letter.routing_key.as_deref()),
        (Some("publisher"), Some("walk.3"))
    );
    assert_eq!(
        (dead_letter.key.as_deref(), dead_letter.sequence, dead_letter.attempts),
        (Some("w"), Some(1), 1)
    );
    let check = shown.schema_check.unwrap();
    assert!(check.decode_errors.concat().contains("walk.stepped.v1"), "{check:?}");
    let violations: Vec<_> =
        check.violations.iter().map(|one| (one.path.as_str(), one.kind)).collect();
    let expected = [
        ("walk", ViolationKind::WrongType),
        ("number", ViolationKind::Missing),
        ("colour", ViolationKind::Unknown),
    ];
    assert_eq!(violations, expected);
    let malformed = insert_malformed(pool, "不是 json").await;
    let shown = read(malformed).await.unwrap();
    assert_eq!((shown.letter.payload.as_str(), shown.schema_check.is_none()), ("不是 json", true));
    assert!(read(Uuid::now_v7()).await.is_none());
}

#[tokio::test]
async fn edited_data_takes_effect_and_the_original_is_kept() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (pool, topology) = (harness.consumer.pool(), harness.consumer_topology());
    let id = insert_dead_letter(pool, "w", 1, r#"{"walk":17}"#, &["no"], true).await;
    let put = async |id, data: &str| edit(&harness.consumer, &topology, id, raw(data)).await;
    let undecodable = put(id, r#"{"walk":"w"}"#).await;
    assert!(matches!(undecodable, Err(EditError::DoesNotFit(_))), "{undecodable:?}");
    let other = put(id, &step("v", 1)).await;
    assert!(matches!(other, Err(EditError::OtherKey { .. })), "{other:?}");
    let malformed = insert_malformed(pool, "不是 json").await;
    let no_event = put(malformed, "{}").await;
    assert!(matches!(no_event, Err(EditError::NoEvent)), "{no_event:?}");

    put(id, &step("w", 7)).await.unwrap();
    put(id, &step("w", 8)).await.unwrap();
    let shown = show(&mut pool.acquire().await.unwrap(), &topology, id).await.unwrap().unwrap();
    let original = shown.letter.original.unwrap();
    assert!(original.contains(r#""data":{"walk":17}"#), "{original}");
    assert!(shown.letter.edited_at.is_some());
    assert_eq!(shown.schema_check.unwrap().decode_errors, [""; 0]);
    redrive(&harness.consumer, &topology, id).await.unwrap();
    assert_eq!(harness.effects("w").await, [8]);
    let twice = put(id, &step("w", 9)).await;
    assert!(matches!(twice, Err(EditError::NotPending(_))), "{twice:?}");
}

/// Emits an event, and has an action after the commit.
struct EmitAndNotify(Arc<AtomicBool>);

impl Handler for EmitAndNotify {
    type Event = Stepped;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<Stepped>,
    ) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            let Stepped { walk, number } = &delivered.event;
            if *number < 0 {
                return Err(Failure::reject("backwards", "a step cannot be negative"));
            }
            tx.emit(&Rested { walk: walk.clone() })?;
            sqlx::query("insert into effect (walk, number, sequence) values ($1, $2, 0)")
                .bind(walk)
                .bind(number)
                .execute(&mut **tx)
                .await?;
        }
        let done = self.0.clone();
        tx.after_commit(move || done.store(true, Ordering::SeqCst));
        Ok(())
    }
}

#[tokio::test]
async fn a_dry_run_reports_the_result_and_changes_nothing() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (pool, is_done) = (harness.consumer.pool(), Arc::new(AtomicBool::new(false)));
    let walk = Subscription::to(Stepped::AGGREGATE, ["publisher"], OnReject::BlockKey);
    let topology = Topology::new("consumer").subscribes(walk.on(EmitAndNotify(is_done.clone())));
    let good = insert_dead_letter(pool, "good", 1, &step("good", 5), &["no"], true).await;
    let behind = insert_dead_letter(pool, "good", 2, &step("good", 6), &["no"], true).await;
    let bad = insert_dead_letter(pool, "bad", 1, &step("bad", -1), &["no"], true).await;
    let unreadable = insert_dead_letter(pool, "odd", 1, "17", &["no"], true).await;
    let malformed = insert_malformed(pool, "不是 json").await;
    let tried = async |id| dry_run(&harness.consumer, &topology, id).await;

    let found = tried(good).await.unwrap();
    assert_eq!((found.outcome, found.causes.len()), (DryRunOutcome::TakesEffect, 0));
    let emitted: Vec<_> =
        found.events.iter().map(|one| (one.kind.as_str(), one.data.get())).collect();
    assert_eq!(emitted, [("walk.rested.v1", r#"{"walk":"good"}"#)]);
    assert_eq!(tried(behind).await.unwrap().outcome, DryRunOutcome::NotYet);
    let found = tried(bad).await.unwrap();
    assert_eq!(
        (found.outcome, found.causes),
        (DryRunOutcome::Fails, vec!["a step cannot be negative".to_owned()])
    );
    assert_eq!(tried(unreadable).await.unwrap().outcome, DryRunOutcome::Fails);
    assert!(matches!(tried(malformed).await, Err(ResolveError::NotRedrivable(_))));
    let pending = "messaging.dead_letter where state = 'pending'";
    for (table, rows) in
        [("effect", 0), ("messaging.outbox", 0), ("messaging.sequence", 0), (pending, 5)]
    {
        assert_eq!(count(pool, table).await, rows, "{table}");
    }
    assert!(!is_done.load(Ordering::SeqCst));
    // The redrive itself does all of it.
    redrive(&harness.consumer, &topology, good).await.unwrap();
    assert!(is_done.load(Ordering::SeqCst));
    assert_eq!(count(pool, "messaging.outbox").await, 1);
}

#[tokio::test]
async fn concurrent_redrives_have_one_effect() {
    let mut harness = Harness::open(OnReject::BlockKey).await;
    Arc::get_mut(&mut harness.behavior).unwrap().gate = Semaphore::new(0);
    let (pool, topology) = (harness.consumer.pool(), harness.consumer_topology());
    let id = insert_dead_letter(pool, "w", 1, &step("w", 1), &["no"], true).await;
    let everything = Selection::default();
    let (one, many, ()) = tokio::join!(
        redrive(&harness.consumer, &topology, id),
        redrive_many(&harness.consumer, &topology, &everything, FAST),
        async {
            wait_for_lock_waiter(pool).await;
            harness.behavior.gate.add_permits(10);
        }
    );
    let many = many.unwrap();
    let done = u64::from(one.is_ok()) + many.redriven;
    assert_eq!(done, 1, "{one:?} {many:?}");
    assert_eq!((many.left, many.next, harness.effects("w").await), (0, None, vec![1]));
}

/// A consumer locks the cursor before a dead letter. So an administrator's operation must not lock a dead letter before the cursor.
#[tokio::test]
async fn a_consumer_and_a_redrive_do_not_deadlock() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (pool, topology) = (harness.consumer.pool(), harness.consumer_topology());
    let id = insert_dead_letter(pool, "w", 1, &step("w", 1), &["no"], true).await;
    let mut consumer = pool.begin().await.unwrap();
    sqlx::query(
        "select * from messaging.lock_cursors('consumer.walk', 'walk', '{publisher}', '{w}')",
    )
    .execute(&mut *consumer)
    .await
    .unwrap();
    let (again, ()) = tokio::join!(redrive(&harness.consumer, &topology, id), async {
        wait_for_lock_waiter(pool).await;
        let update = "update messaging.dead_letter set attempts = 2 where key = 'w'";
        sqlx::query(update).execute(&mut *consumer).await.unwrap();
        consumer.commit().await.unwrap();
    });
    again.unwrap();
    let deadlocks = "pg_stat_database where datname = current_database() and deadlocks > 0";
    assert_eq!((count(pool, deadlocks).await, harness.effects("w").await), (0, vec![1]));
}

#[tokio::test]
async fn redriving_many_reports_failures_and_keeps_the_rate() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (pool, topology) = (harness.consumer.pool(), harness.consumer_topology());
    // The handler names one; the other is found by splitting the batch.
    harness.behavior.reject.lock().unwrap().push("walk-3".into());
    harness.behavior.fail.lock().unwrap().push("walk-6".into());
    for walk in (0..10).map(|walk| format!("walk-{walk}")) {
        for number in [1, 2] {
            insert_dead_letter(pool, &walk, number, &step(&walk, number), &["no"], true).await;
        }
    }
    insert_malformed(pool, "不是 json").await;
    let (mut pace, began) = (Pace { per_second: 50, at_most: 7, ..FAST }, Instant::now());
    let (mut redriven, mut failures, mut not_yet) = (0, Vec::new(), 0);
    let left = loop {
        let done =
            redrive_many(&harness.consumer, &topology, &Selection::default(), pace).await.unwrap();
        assert!(done.redriven + done.failed + done.not_yet <= 7, "{done:?}");
        redriven += done.redriven;
        not_yet += done.not_yet;
        failures.extend(done.failures);
        pace.after = done.next;
        if done.next.is_none() {
            break done.left;
        }
    };
    assert_eq!((redriven, not_yet, left), (16, 2, 5), "{failures:?}");
    let causes: Vec<_> = failures.iter().map(|failure| failure.causes.concat()).collect();
    assert_eq!(causes, ["no", "a bad event in this batch"]);
    // Twenty at fifty a second, in any number of calls.
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    for walk in [0, 1, 2, 4, 5, 7, 8, 9] {
        assert_eq!(harness.effects(&format!("walk-{walk}")).await, [1, 2]);
    }
    let held = "messaging.cursor where hold <> 'free'";
    assert_eq!(count(pool, held).await, 2);
    assert_eq!(count(pool, "effect").await, 16);

    // Discards all dead letters of a reason, also malformed ones.
    let malformed = Selection { kind: Some(String::new()), ..Selection::default() };
    let discarded = discard_many(&harness.consumer, &malformed, FAST).await.unwrap();
    assert_eq!((discarded.discarded, discarded.left, discarded.next), (1, 0, None));
    let consumer = Selection { consumer: Some("consumer.walk".into()), ..Selection::default() };
    let discarded = discard_many(&harness.consumer, &consumer, FAST).await.unwrap();
    assert_eq!((discarded.discarded, discarded.not_yet, discarded.left), (4, 0, 0));
    assert_eq!(count(pool, held).await, 0);
}

#[tokio::test]
async fn dead_letters_are_listed_in_pages() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let pool = harness.consumer.pool();
    for number in 1..=5 {
        insert_dead_letter(pool, "w", number, &step("w", number), &["no"], true).await;
    }
    // The same time, as in one batch.
    sqlx::query("update messaging.dead_letter set died_at = now() where seq <= 4")
        .execute(pool)
        .await
        .unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = list(&mut connection, &Selection::default(), true, after, 2).await.unwrap();
        after = page.last().map(|dead_letter| dead_letter.id);
        if after.is_none() {
            break;
        }
        seen.extend(page.into_iter().map(|dead_letter| dead_letter.sequence.unwrap()));
    }
    assert_eq!(seen, [4, 3, 2, 1, 5]);
}

/// Hangs for some walks, and records the batch size of each attempt.
#[derive(Clone, Default)]
struct Hang {
    walks: Vec<String>,
    /// Whether it hangs in a statement, which only the server can end.
    in_a_statement: bool,
    batch_sizes: Arc<Mutex<Vec<usize>>>,
}

impl Handler for Hang {
    type Event = Stepped;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<Stepped>,
    ) -> Result<(), Failure> {
        self.batch_sizes.lock().unwrap().push(batch.delivered().len());
        if batch.delivered().iter().any(|one| self.walks.contains(&one.event.walk)) {
            if self.in_a_statement {
                sqlx::raw_sql("select pg_sleep(300)").execute(&mut **tx).await?;
            }
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn redriving_many_isolates_events_whose_handler_hangs() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let pool = harness.consumer.pool();
    let handler = Hang { walks: vec!["walk-2".into(), "walk-4".into()], ..Hang::default() };
    let subscription = Subscription::to(Stepped::AGGREGATE, ["publisher"], OnReject::BlockKey)
        .handler_timeout(Duration::from_millis(300))
        .on(handler.clone());
    let topology = Topology::new("consumer").subscribes(subscription);
    for walk in (0..6).map(|walk| format!("walk-{walk}")) {
        insert_dead_letter(pool, &walk, 1, &step(&walk, 1), &["no"], true).await;
    }
    let (mut pace, mut calls, mut redriven, mut failures) =
        (Pace { within: Duration::ZERO, ..FAST }, 0, 0, Vec::new());
    loop {
        let done =
            redrive_many(&harness.consumer, &topology, &Selection::default(), pace).await.unwrap();
        calls += 1;
        redriven += done.redriven;
        failures.extend(done.failures.into_iter().map(|failure| failure.causes.concat()));
        pace.after = done.next;
        if done.next.is_none() {
            break;
        }
    }
    assert_eq!(redriven, 4, "{failures:?}");
    assert_eq!(failures, ["the handler took longer than 300ms"; 2]);
    // After an attempt with all of them hangs, the first is tried alone, and the rest together in the next call.
    let batch_sizes = handler.batch_sizes.lock().unwrap().clone();
    assert_eq!(batch_sizes, [6, 1, 5, 1, 4, 1, 3, 1, 2, 1, 1]);
    assert!(calls >= 6, "{calls}");
}

#[tokio::test]
async fn redriving_many_isolates_events_that_hang_in_a_statement() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let pool = harness.consumer.pool();
    let handler = Hang { walks: vec!["walk-2".into()], in_a_statement: true, ..Hang::default() };
    let subscription =
        Subscription::to(Stepped::AGGREGATE, ["publisher"], OnReject::BlockKey).on(handler.clone());
    let topology = Topology::new("consumer").subscribes(subscription);
    for walk in (0..6).map(|walk| format!("walk-{walk}")) {
        insert_dead_letter(pool, &walk, 1, &step(&walk, 1), &["no"], true).await;
    }
    let pace = Pace { within: Duration::from_mins(1), ..FAST };
    let done =
        redrive_many(&harness.consumer, &topology, &Selection::default(), pace).await.unwrap();
    assert_eq!((done.redriven, done.failed, done.next), (5, 1, None));
    let causes = done.failures[0].causes.concat();
    assert!(causes.contains("statement timeout"), "{causes}");
    let batch_sizes = handler.batch_sizes.lock().unwrap().clone();
    assert_eq!(batch_sizes, [6, 1, 1, 1, 1, 1, 1]);
}

#[tokio::test]
async fn a_dead_letter_behind_a_gap_waits_for_its_turn() {
    let harness = Harness::open(OnReject::Continue).await;
    let (pool, topology) = (harness.consumer.pool(), harness.consumer_topology());
    let first = insert_dead_letter(pool, "w", 3, &step("w", 3), &["no"], false).await;
    let second = insert_dead_letter(pool, "w", 5, &step("w", 5), &["no"], false).await;
    let behind_gap =
        "update messaging.dead_letter set passed = false, reason = 'missing_predecessor'";
    sqlx::query(behind_gap).execute(pool).await.unwrap();
    sqlx::query("update messaging.cursor set last = 1").execute(pool).await.unwrap();
    let early = redrive(&harness.consumer, &topology, first).await;
    assert!(matches!(early, Err(ResolveError::NotYet { sequence: 3, last: 1 })), "{early:?}");
    discard(&harness.consumer, second).await.unwrap();
    redrive(&harness.consumer, &topology, first).await.unwrap();
    assert_eq!(harness.effects("w").await, [3]);
}

/// The environment of the process that [`a_killed_redrive_of_many_is_finished_by_the_next`] kills.
const DATABASE_OF_WORKER: &str = "REDRIVE_WORKER_DATABASE_URL";
const RATE_OF_WORKER: &str = "REDRIVE_WORKER_RATE";

/// The number of dead letters; `REDRIVE_LETTERS` overrides it.
const DEAD_LETTERS: i64 = 2_000;

/// The process that is killed: it redrives all dead letters.
async fn run_worker(url: &str) {
    let per_second = std::env::var(RATE_OF_WORKER).unwrap().parse().unwrap();
    let outbox = outbox(url).await;
    let topology = Harness::topology_of_consumer(OnReject::BlockKey, Arc::default());
    let mut pace = Pace { per_second, ..FAST };
    loop {
        let done = redrive_many(&outbox, &topology, &Selection::default(), pace).await.unwrap();
        pace.after = done.next;
        if done.next.is_none() {
            return;
        }
    }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the output shows the duration")]
async fn a_killed_redrive_of_many_is_finished_by_the_next() {
    // In the child process.
    if let Ok(url) = std::env::var(DATABASE_OF_WORKER) {
        return run_worker(&url).await;
    }
    let harness = Harness::open(OnReject::BlockKey).await;
    let pool = harness.consumer.pool();
    let dead_letters: i64 =
        std::env::var("REDRIVE_LETTERS").map_or(DEAD_LETTERS, |text| text.parse().unwrap());
    insert_pairs(pool, dead_letters / 2).await;
    let directory = DataDir::temporary("redrive").unwrap();
    // Slow enough that more than a second is left at the last kill.
    let rate = if dead_letters > DEAD_LETTERS { "100000" } else { "250" };
    let (mut kills, began) = (0, Instant::now());
    let redriven = async || count(pool, "messaging.dead_letter where state = 'redriven'").await;
    for part in 1_i64..=5 {
        let mut worker = start_worker(&harness, &directory, rate);
        let enough = dead_letters * part / 6;
        wait_for("the worker is in the middle", TIMEOUT * 4, async || {
            match count(pool, "effect").await {
                done if done >= enough => Ok(()),
                done => Err(format!("{done} of {enough}")),
            }
        })
        .await
        .unwrap();
        // Every other kill hits the worker between the effects and the update of the dead letters.
        let mut held = pool.begin().await.unwrap();
        if part % 2 == 1 {
            let block_updates = "lock table messaging.dead_letter in share mode";
            sqlx::query(block_updates).execute(&mut *held).await.unwrap();
            wait_for_lock_waiter(pool).await;
        }
        kills += i32::from(worker.is_alive());
        worker.kill().await.unwrap();
        held.rollback().await.unwrap();
    }
    assert_eq!(kills, 5, "each worker was killed in the middle");
    let left = count(pool, "messaging.dead_letter where state = 'pending'").await;
    assert!(left > 0, "no dead letter was left");
    start_worker(&harness, &directory, "100000").wait_for_success(TIMEOUT * 4).await.unwrap();
    println!(
        "{dead_letters} dead letters after {:?}, {left} left at the last kill",
        began.elapsed()
    );
    assert_eq!(redriven().await, dead_letters);
    // Events behind the dead letters continue too.
    let consumer = harness.start_consumer();
    harness.wait_for_total(dead_letters + dead_letters / 200).await;
    let wrong = "(select walk, array_agg(number order by place) as numbers from effect group by walk) w
        where numbers <> case when walk like '%00' then array[1, 2, 3] else array[1, 2]::bigint[] end";
    assert_eq!(count(pool, wrong).await, 0, "each takes effect once, in the order of its key");
    assert_eq!(count(pool, "messaging.cursor where hold <> 'free'").await, 0);
    harness.assert_drained().await;
    consumer.shut_down().await;
}

/// Inserts two dead letters per walk, and a parked event behind them for every hundredth walk.
async fn insert_pairs(pool: &PgPool, walks: i64) {
    let envelope = |number: &str| {
        format!(
            r#"format('{{"specversion":"1.0","id":"%s","source":"publisher","type":"walk.stepped.v1","subject":"%s",
            "time":"2026-11-22T08:00:00Z","sequence":"%s","aggregate":"walk","data":{{"walk":"%s","number":%s}}}}',
            gen_random_uuid(), key, {number}, key, {number})"#
        )
    };
    let keys =
        format!("(select 'walk-' || walk as key from generate_series(1, {walks}) walk) keys");
    for statement in [
        format!(
            "insert into messaging.cursor select 'consumer.walk', 'publisher', 'walk', key, 2, 'blocked' from {keys}"
        ),
        format!(
            "insert into messaging.dead_letter (id, consumer, source, aggregate, key, seq, event_id, kind, reason, causes,
                attempts, payload, blocks, passed)
            select gen_random_uuid(), 'consumer.walk', 'publisher', 'walk', key, seq, gen_random_uuid(), 'walk.stepped.v1',
                'rejected_by_test', '{{no}}', 1, convert_to({}, 'UTF8'), true, true
            from {keys}, generate_series(1, 2) seq order by random()",
            envelope("seq")
        ),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(pool).await.unwrap();
    }
    for walk in (100..=walks).step_by(100) {
        let key = format!("walk-{walk}");
        let statement = format!(
            "insert into messaging.parked (consumer, source, aggregate, key, seq, slot, why, attempts, causes, envelope)
            select 'consumer.walk', 'publisher', 'walk', key, 3, $1, 'behind', 0, '{{}}', {} from (values ($2)) as one (key)",
            envelope("3")
        );
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(i16::from(Slot::of(&key).number()))
            .bind(key)
            .execute(pool)
            .await
            .unwrap();
    }
}

/// Starts a process that redrives all dead letters.
fn start_worker(harness: &Harness, directory: &DataDir, rate: &str) -> Process {
    let test = "dead_letter_admin::a_killed_redrive_of_many_is_finished_by_the_next";
    let variables = [(DATABASE_OF_WORKER, harness.consumer_url()), (RATE_OF_WORKER, rate)];
    start_test_process(directory, test, &variables)
}
