//! Dead letters as people deal with them: grouped, shown, put right, tried, sent again and given up by the many.

#![expect(
    clippy::disallowed_methods,
    reason = "what becomes a letter here, and the table of effects, are made by the tests"
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
        NotEdited, Outcome, Pace, Selection, Unresolved, discard, discard_many, dry_run, edit,
        groups, list, redrive, redrive_many, show,
    },
};
use serde_json::value::{RawValue, to_raw_value};
use sqlx::PgPool;
use testkit::{DataDir, Process, wait_for};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::shop::{Rested, SOON, Shop, Stepped, count, kit, start_again};

/// As fast as it goes, all at once.
const FAST: Pace =
    Pace { per_second: 100_000, at_most: 1_000_000, within: Duration::from_mins(1), after: None };

/// Makes step `number` of a walk a dead letter that the cursor has gone past, with `data`, and blocks the key if `blocks`.
async fn bury(
    pool: &PgPool,
    walk: &str,
    number: i64,
    data: &str,
    causes: &[&str],
    blocks: bool,
) -> Uuid {
    let id = Uuid::now_v7();
    let envelope = format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"speaker","type":"walk.stepped.v1","subject":"{walk}",
        "time":"2026-11-22T08:00:00Z","sequence":"{number}","aggregate":"walk","data":{data}}}"#
    );
    let _: Vec<i32> = sqlx::query_scalar(
        "with moved as (
            insert into messaging.cursor (consumer, source, aggregate, key, last, hold)
            values ('listener.walk', 'speaker', 'walk', $2, $3, case when $6 then 'blocked' else 'free' end)
            on conflict (consumer, source, aggregate, key) do update set last = greatest(cursor.last, excluded.last)
        )
        insert into messaging.dead_letter
            (id, consumer, source, aggregate, key, seq, event_id, kind, exchange, routing_key, reason, causes, attempts,
             payload, blocks, passed)
        values ($1, 'listener.walk', 'speaker', 'walk', $2, $3, $1, 'walk.stepped.v1', 'speaker', 'walk.3', 'told_to_reject',
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

/// A step's data.
fn step(walk: &str, number: i64) -> String {
    format!(r#"{{"walk":"{walk}","number":{number}}}"#)
}

fn raw(json: &str) -> Box<RawValue> {
    to_raw_value(&serde_json::from_str::<serde_json::Value>(json).unwrap()).unwrap()
}

async fn bury_foreign(pool: &PgPool, payload: &str) -> Uuid {
    let id = Uuid::now_v7();
    let _: i32 = sqlx::query_scalar(
        "insert into messaging.dead_letter (id, consumer, exchange, routing_key, reason, causes, attempts, payload, blocks, passed)
        values ($1, 'listener.walk', 'speaker', 'walk.3', 'undecodable', '{no batch}', 1, $2, false, false) returning 1",
    )
    .bind(id)
    .bind(payload.as_bytes())
    .fetch_one(pool)
    .await
    .unwrap();
    id
}

/// Waits until somebody waits for a lock in this database.
async fn somebody_waits(pool: &PgPool) {
    let waiting =
        "pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    wait_for("somebody waits for a lock", SOON, async || match count(pool, waiting).await {
        0 => Err("nobody does"),
        _ => Ok(()),
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn like_causes_meet_in_one_group() {
    let shop = Shop::open(OnReject::GoOn).await;
    let pool = shop.listener.pool();
    let causes = [
        ["the stock is wrong", "SKU PL-NUANTU-60-BLU: 3 pieces are 4 too many"],
        ["another attempt", "SKU XY-7: 12 pieces are 1 too many\nat line 17"],
        ["the stock is wrong", "product.changed.v1 says \"red\""],
    ];
    let mut ids = Vec::new();
    for (number, causes) in (1..).zip(&causes) {
        ids.push(bury(pool, "w", number, &step("w", number), causes, number == 1).await);
    }
    bury_foreign(pool, "不是 json").await;
    let all = groups(&mut pool.acquire().await.unwrap()).await.unwrap();
    let told: Vec<_> =
        all.iter().map(|one| (one.cause.as_str(), one.count, one.blocking)).collect();
    let expected = [
        ("SKU …: … pieces are … too many", 2, 1),
        ("product.changed.v1 says \"…\"", 1, 0),
        ("no batch", 1, 0),
    ];
    assert_eq!(told, expected);
    assert_eq!((all[0].example, all[0].kind.as_deref()), (ids[1], Some("walk.stepped.v1")));
    assert!(all[0].oldest < all[0].newest);
    assert_eq!(all[2].kind, None);
    // A group is a selection of its own.
    let cause = Some(all[0].cause.clone());
    let selection = Selection { cause, kind: all[0].kind.clone(), ..Selection::default() };
    let done = redrive_many(&shop.listener, &shop.listener_topology(), &selection, FAST).await;
    assert_eq!(done.unwrap().redriven, 2);
    assert_eq!(shop.effects("w").await, [1, 2]);
}

#[tokio::test]
async fn a_letter_is_shown_with_where_its_data_does_not_fit() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let pool = shop.listener.pool();
    let id = bury(pool, "w", 1, r#"{"walk":17,"colour":"red"}"#, &["no"], true).await;
    let topology = shop.listener_topology();
    let read = async |id| show(&mut pool.acquire().await.unwrap(), &topology, id).await.unwrap();
    let shown = read(id).await.unwrap();
    let letter = &shown.letter;
    assert_eq!(
        (letter.exchange.as_deref(), letter.routing_key.as_deref()),
        (Some("speaker"), Some("walk.3"))
    );
    assert_eq!((letter.key.as_deref(), letter.sequence, letter.attempts), (Some("w"), Some(1), 1));
    let fit = shown.schema_check.unwrap();
    assert!(fit.decode_errors.concat().contains("walk.stepped.v1"), "{fit:?}");
    let told: Vec<_> = fit.violations.iter().map(|one| (one.path.as_str(), one.kind)).collect();
    let expected = [
        ("walk", ViolationKind::WrongType),
        ("number", ViolationKind::Missing),
        ("colour", ViolationKind::Unknown),
    ];
    assert_eq!(told, expected);
    let foreign = bury_foreign(pool, "不是 json").await;
    let shown = read(foreign).await.unwrap();
    assert_eq!((shown.letter.payload.as_str(), shown.schema_check.is_none()), ("不是 json", true));
    assert!(read(Uuid::now_v7()).await.is_none());
}

#[tokio::test]
async fn data_is_put_right_and_takes_effect_and_what_came_is_kept() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (pool, topology) = (shop.listener.pool(), shop.listener_topology());
    let id = bury(pool, "w", 1, r#"{"walk":17}"#, &["no"], true).await;
    let put = async |id, data: &str| edit(&shop.listener, &topology, id, raw(data)).await;
    let unreadable = put(id, r#"{"walk":"w"}"#).await;
    assert!(matches!(unreadable, Err(NotEdited::DoesNotFit(_))), "{unreadable:?}");
    let other = put(id, &step("v", 1)).await;
    assert!(matches!(other, Err(NotEdited::OtherKey { .. })), "{other:?}");
    let foreign = bury_foreign(pool, "不是 json").await;
    let no_event = put(foreign, "{}").await;
    assert!(matches!(no_event, Err(NotEdited::NoEvent)), "{no_event:?}");

    put(id, &step("w", 7)).await.unwrap();
    put(id, &step("w", 8)).await.unwrap();
    let shown = show(&mut pool.acquire().await.unwrap(), &topology, id).await.unwrap().unwrap();
    let original = shown.letter.original.unwrap();
    assert!(original.contains(r#""data":{"walk":17}"#), "{original}");
    assert!(shown.letter.edited_at.is_some());
    assert_eq!(shown.schema_check.unwrap().decode_errors, [""; 0]);
    redrive(&shop.listener, &topology, id).await.unwrap();
    assert_eq!(shop.effects("w").await, [8]);
    let twice = put(id, &step("w", 9)).await;
    assert!(matches!(twice, Err(NotEdited::NotPending(_))), "{twice:?}");
}

/// A walk that speaks of itself: another event, and something that is done after the commit.
struct Speak(Arc<AtomicBool>);

impl Handler for Speak {
    type Event = Stepped;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<Stepped>,
    ) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            let Stepped { walk, number } = &delivered.event;
            if *number < 0 {
                return Err(Failure::reject("backwards", "nobody walks backwards"));
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
async fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (pool, is_done) = (shop.listener.pool(), Arc::new(AtomicBool::new(false)));
    let walk = Subscription::to(Stepped::AGGREGATE, ["speaker"], OnReject::BlockKey);
    let topology = Topology::of("listener").hears(walk.on(Speak(is_done.clone())));
    let good = bury(pool, "good", 1, &step("good", 5), &["no"], true).await;
    let behind = bury(pool, "good", 2, &step("good", 6), &["no"], true).await;
    let bad = bury(pool, "bad", 1, &step("bad", -1), &["no"], true).await;
    let unreadable = bury(pool, "odd", 1, "17", &["no"], true).await;
    let foreign = bury_foreign(pool, "不是 json").await;
    let tried = async |id| dry_run(&shop.listener, &topology, id).await;

    let found = tried(good).await.unwrap();
    assert_eq!((found.outcome, found.causes.len()), (Outcome::TakesEffect, 0));
    let said: Vec<_> = found.events.iter().map(|one| (one.kind.as_str(), one.data.get())).collect();
    assert_eq!(said, [("walk.rested.v1", r#"{"walk":"good"}"#)]);
    assert_eq!(tried(behind).await.unwrap().outcome, Outcome::NotYet);
    let found = tried(bad).await.unwrap();
    assert_eq!(
        (found.outcome, found.causes),
        (Outcome::Fails, vec!["nobody walks backwards".to_owned()])
    );
    assert_eq!(tried(unreadable).await.unwrap().outcome, Outcome::Fails);
    assert!(matches!(tried(foreign).await, Err(Unresolved::NotRedrivable(_))));
    let pending = "messaging.dead_letter where state = 'pending'";
    for (table, rows) in
        [("effect", 0), ("messaging.outbox", 0), ("messaging.sequence", 0), (pending, 5)]
    {
        assert_eq!(count(pool, table).await, rows, "{table}");
    }
    assert!(!is_done.load(Ordering::SeqCst));
    // In earnest it does all that.
    redrive(&shop.listener, &topology, good).await.unwrap();
    assert!(is_done.load(Ordering::SeqCst));
    assert_eq!(count(pool, "messaging.outbox").await, 1);
}

#[tokio::test]
async fn two_who_send_a_letter_again_at_once_have_one_effect() {
    let mut shop = Shop::open(OnReject::BlockKey).await;
    Arc::get_mut(&mut shop.mood).unwrap().gate = Semaphore::new(0);
    let (pool, topology) = (shop.listener.pool(), shop.listener_topology());
    let id = bury(pool, "w", 1, &step("w", 1), &["no"], true).await;
    let everything = Selection::default();
    let (one, many, ()) = tokio::join!(
        redrive(&shop.listener, &topology, id),
        redrive_many(&shop.listener, &topology, &everything, FAST),
        async {
            somebody_waits(pool).await;
            shop.mood.gate.add_permits(10);
        }
    );
    let many = many.unwrap();
    let done = u64::from(one.is_ok()) + many.redriven;
    assert_eq!(done, 1, "{one:?} {many:?}");
    assert_eq!((many.left, many.next, shop.effects("w").await), (0, None, vec![1]));
}

/// A consumer holds the cursor when it writes to a letter; whoever deals with letters must not hold the letter when they
/// want the cursor.
#[tokio::test]
async fn a_consumer_and_a_redrive_of_one_key_do_not_wait_in_a_circle() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (pool, topology) = (shop.listener.pool(), shop.listener_topology());
    let id = bury(pool, "w", 1, &step("w", 1), &["no"], true).await;
    let mut consumer = pool.begin().await.unwrap();
    sqlx::query(
        "select * from messaging.lock_cursors('listener.walk', 'walk', '{speaker}', '{w}')",
    )
    .execute(&mut *consumer)
    .await
    .unwrap();
    let (again, ()) = tokio::join!(redrive(&shop.listener, &topology, id), async {
        somebody_waits(pool).await;
        let buried_once_more = "update messaging.dead_letter set attempts = 2 where key = 'w'";
        sqlx::query(buried_once_more).execute(&mut *consumer).await.unwrap();
        consumer.commit().await.unwrap();
    });
    again.unwrap();
    let deadlocks = "pg_stat_database where datname = current_database() and deadlocks > 0";
    assert_eq!((count(pool, deadlocks).await, shop.effects("w").await), (0, vec![1]));
}

#[tokio::test]
async fn those_of_many_that_fail_again_are_named_and_the_others_go_on_at_the_rate() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (pool, topology) = (shop.listener.pool(), shop.listener_topology());
    // Named by the handler, and not named: then they are found by halves.
    shop.mood.reject.lock().unwrap().push("walk-3".into());
    shop.mood.fail.lock().unwrap().push("walk-6".into());
    for walk in (0..10).map(|walk| format!("walk-{walk}")) {
        for number in [1, 2] {
            bury(pool, &walk, number, &step(&walk, number), &["no"], true).await;
        }
    }
    bury_foreign(pool, "不是 json").await;
    let (mut pace, began) = (Pace { per_second: 50, at_most: 7, ..FAST }, Instant::now());
    let (mut redriven, mut failures, mut not_yet) = (0, Vec::new(), 0);
    let left = loop {
        let done =
            redrive_many(&shop.listener, &topology, &Selection::default(), pace).await.unwrap();
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
    assert_eq!(causes, ["no", "somebody in this batch is bad"]);
    // Twenty at fifty a second, however they are cut into calls.
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    for walk in [0, 1, 2, 4, 5, 7, 8, 9] {
        assert_eq!(shop.effects(&format!("walk-{walk}")).await, [1, 2]);
    }
    let held = "messaging.cursor where hold <> 'free'";
    assert_eq!(count(pool, held).await, 2);
    assert_eq!(count(pool, "effect").await, 16);

    // And all of one reason are given up, what is no event among them.
    let unreadable = Selection { kind: Some(String::new()), ..Selection::default() };
    let given_up = discard_many(&shop.listener, &unreadable, FAST).await.unwrap();
    assert_eq!((given_up.discarded, given_up.left, given_up.next), (1, 0, None));
    let consumer = Selection { consumer: Some("listener.walk".into()), ..Selection::default() };
    let given_up = discard_many(&shop.listener, &consumer, FAST).await.unwrap();
    assert_eq!((given_up.discarded, given_up.not_yet, given_up.left), (4, 0, 0));
    assert_eq!(count(pool, held).await, 0);
}

#[tokio::test]
async fn the_many_are_listed_page_by_page() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let pool = shop.listener.pool();
    for number in 1..=5 {
        bury(pool, "w", number, &step("w", number), &["no"], true).await;
    }
    // Of one instant, as those of a batch are.
    sqlx::query("update messaging.dead_letter set died_at = now() where seq <= 4")
        .execute(pool)
        .await
        .unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = list(&mut connection, &Selection::default(), true, after, 2).await.unwrap();
        after = page.last().map(|letter| letter.id);
        if after.is_none() {
            break;
        }
        seen.extend(page.into_iter().map(|letter| letter.sequence.unwrap()));
    }
    assert_eq!(seen, [4, 3, 2, 1, 5]);
}

/// Never comes back over some walks, and notes how many letters it was given each time.
#[derive(Clone, Default)]
struct Hanging {
    over: Vec<String>,
    /// Whether it waits for a statement, which nobody ends but the server.
    in_a_statement: bool,
    given: Arc<Mutex<Vec<usize>>>,
}

impl Handler for Hanging {
    type Event = Stepped;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<Stepped>,
    ) -> Result<(), Failure> {
        self.given.lock().unwrap().push(batch.delivered().len());
        if batch.delivered().iter().any(|one| self.over.contains(&one.event.walk)) {
            if self.in_a_statement {
                sqlx::raw_sql("select pg_sleep(300)").execute(&mut **tx).await?;
            }
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn those_of_many_that_hang_are_named_one_by_one_and_each_call_gets_on() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let pool = shop.listener.pool();
    let handler = Hanging { over: vec!["walk-2".into(), "walk-4".into()], ..Hanging::default() };
    let subscription = Subscription::to(Stepped::AGGREGATE, ["speaker"], OnReject::BlockKey)
        .handled_within(Duration::from_millis(300))
        .on(handler.clone());
    let topology = Topology::of("listener").hears(subscription);
    for walk in (0..6).map(|walk| format!("walk-{walk}")) {
        bury(pool, &walk, 1, &step(&walk, 1), &["no"], true).await;
    }
    let (mut pace, mut calls, mut redriven, mut failures) =
        (Pace { within: Duration::ZERO, ..FAST }, 0, 0, Vec::new());
    loop {
        let done =
            redrive_many(&shop.listener, &topology, &Selection::default(), pace).await.unwrap();
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
    // Where one of them hangs, all together were tried once, and then the first of them alone. What stands behind is done together.
    let given = handler.given.lock().unwrap().clone();
    assert_eq!(given, [6, 1, 5, 1, 4, 1, 3, 1, 2, 1, 1]);
    assert!(calls >= 6, "{calls}");
}

#[tokio::test]
async fn letters_that_hang_in_a_statement_are_tried_one_by_one_as_well() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let pool = shop.listener.pool();
    let handler =
        Hanging { over: vec!["walk-2".into()], in_a_statement: true, ..Hanging::default() };
    let subscription =
        Subscription::to(Stepped::AGGREGATE, ["speaker"], OnReject::BlockKey).on(handler.clone());
    let topology = Topology::of("listener").hears(subscription);
    for walk in (0..6).map(|walk| format!("walk-{walk}")) {
        bury(pool, &walk, 1, &step(&walk, 1), &["no"], true).await;
    }
    let pace = Pace { within: Duration::from_mins(1), ..FAST };
    let done = redrive_many(&shop.listener, &topology, &Selection::default(), pace).await.unwrap();
    assert_eq!((done.redriven, done.failed, done.next), (5, 1, None));
    let causes = done.failures[0].causes.concat();
    assert!(causes.contains("statement timeout"), "{causes}");
    let given = handler.given.lock().unwrap().clone();
    assert_eq!(given, [6, 1, 1, 1, 1, 1, 1]);
}

#[tokio::test]
async fn a_letter_that_waited_for_its_predecessor_keeps_its_place_when_another_is_given_up() {
    let shop = Shop::open(OnReject::GoOn).await;
    let (pool, topology) = (shop.listener.pool(), shop.listener_topology());
    let first = bury(pool, "w", 3, &step("w", 3), &["no"], false).await;
    let second = bury(pool, "w", 5, &step("w", 5), &["no"], false).await;
    let lonely = "update messaging.dead_letter set passed = false, reason = 'missing_predecessor'";
    sqlx::query(lonely).execute(pool).await.unwrap();
    sqlx::query("update messaging.cursor set last = 1").execute(pool).await.unwrap();
    let early = redrive(&shop.listener, &topology, first).await;
    assert!(matches!(early, Err(Unresolved::NotYet { sequence: 3, last: 1 })), "{early:?}");
    discard(&shop.listener, second).await.unwrap();
    redrive(&shop.listener, &topology, first).await.unwrap();
    assert_eq!(shop.effects("w").await, [3]);
}

/// The environment of the process that [`a_redrive_of_many_is_finished_by_whoever_comes_after_a_kill`] kills.
const DATABASE_OF_WORKER: &str = "REDRIVE_WORKER_DATABASE_URL";
const RATE_OF_WORKER: &str = "REDRIVE_WORKER_RATE";

/// How many letters are sent again; `REDRIVE_LETTERS` says how many else.
const LETTERS: i64 = 2_000;

/// What the process does that is killed: it sends all letters again.
async fn work(url: &str) {
    let per_second = std::env::var(RATE_OF_WORKER).unwrap().parse().unwrap();
    let kit = kit(url).await;
    let topology = Shop::topology_of_listener(OnReject::BlockKey, Arc::default());
    let mut pace = Pace { per_second, ..FAST };
    loop {
        let done = redrive_many(&kit, &topology, &Selection::default(), pace).await.unwrap();
        pace.after = done.next;
        if done.next.is_none() {
            return;
        }
    }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "how long it takes is of interest to who asks for many")]
async fn a_redrive_of_many_is_finished_by_whoever_comes_after_a_kill() {
    // Started by itself once more, it is the process that is killed.
    if let Ok(url) = std::env::var(DATABASE_OF_WORKER) {
        return work(&url).await;
    }
    let shop = Shop::open(OnReject::BlockKey).await;
    let pool = shop.listener.pool();
    let letters: i64 =
        std::env::var("REDRIVE_LETTERS").map_or(LETTERS, |text| text.parse().unwrap());
    bury_pairs(pool, letters / 2).await;
    let folder = DataDir::temporary("redrive").unwrap();
    let rate = if letters > LETTERS { "100000" } else { "1000" };
    let (mut kills, began) = (0, Instant::now());
    let redriven = async || count(pool, "messaging.dead_letter where state = 'redriven'").await;
    for part in 1_i64..=5 {
        let mut worker = start_worker(&shop, &folder, rate);
        let enough = letters * part / 6;
        wait_for("it is in the middle of it", SOON * 4, async || {
            match count(pool, "effect").await {
                done if done >= enough => Ok(()),
                done => Err(format!("{done} of {enough}")),
            }
        })
        .await
        .unwrap();
        // Some of them die wherever they are; the others between the effects and what is written down of them.
        let mut held = pool.begin().await.unwrap();
        if part % 2 == 1 {
            let nobody_marks = "lock table messaging.dead_letter in share mode";
            sqlx::query(nobody_marks).execute(&mut *held).await.unwrap();
            somebody_waits(pool).await;
        }
        kills += i32::from(worker.is_alive());
        worker.kill().await.unwrap();
        held.rollback().await.unwrap();
    }
    assert_eq!(kills, 5, "each was killed in the middle");
    let left = count(pool, "messaging.dead_letter where state = 'pending'").await;
    assert!(left > 0, "nothing was left to be finished");
    start_worker(&shop, &folder, "100000").wait_for_success(SOON * 4).await.unwrap();
    println!("{letters} letters after {:?}, {left} left at the last kill", began.elapsed());
    assert_eq!(redriven().await, letters);
    // What waited behind the letters goes on as well.
    let listener = shop.start_listener();
    shop.wait_for_total(letters + letters / 200).await;
    let wrong = "(select walk, array_agg(number order by place) as numbers from effect group by walk) w
        where numbers <> case when walk like '%00' then array[1, 2, 3] else array[1, 2]::bigint[] end";
    assert_eq!(count(pool, wrong).await, 0, "each takes effect once, in the order of its key");
    assert_eq!(count(pool, "messaging.cursor where hold <> 'free'").await, 0);
    shop.assert_at_rest().await;
    listener.shut_down().await;
}

/// So many keys with two dead letters each; behind those of every hundredth an event waits.
async fn bury_pairs(pool: &PgPool, walks: i64) {
    let envelope = |number: &str| {
        format!(
            r#"format('{{"specversion":"1.0","id":"%s","source":"speaker","type":"walk.stepped.v1","subject":"%s",
            "time":"2026-11-22T08:00:00Z","sequence":"%s","aggregate":"walk","data":{{"walk":"%s","number":%s}}}}',
            gen_random_uuid(), key, {number}, key, {number})"#
        )
    };
    let keys =
        format!("(select 'walk-' || walk as key from generate_series(1, {walks}) walk) keys");
    for statement in [
        format!(
            "insert into messaging.cursor select 'listener.walk', 'speaker', 'walk', key, 2, 'blocked' from {keys}"
        ),
        format!(
            "insert into messaging.dead_letter (id, consumer, source, aggregate, key, seq, event_id, kind, reason, causes,
                attempts, payload, blocks, passed)
            select gen_random_uuid(), 'listener.walk', 'speaker', 'walk', key, seq, gen_random_uuid(), 'walk.stepped.v1',
                'told_to_reject', '{{no}}', 1, convert_to({}, 'UTF8'), true, true
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
            select 'listener.walk', 'speaker', 'walk', key, 3, $1, 'behind', 0, '{{}}', {} from (values ($2)) as one (key)",
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

/// Starts a process that sends all letters again.
fn start_worker(shop: &Shop, folder: &DataDir, rate: &str) -> Process {
    let test = "letters::a_redrive_of_many_is_finished_by_whoever_comes_after_a_kill";
    let variables = [(DATABASE_OF_WORKER, shop.listener_url()), (RATE_OF_WORKER, rate)];
    start_again(folder, test, &variables)
}
