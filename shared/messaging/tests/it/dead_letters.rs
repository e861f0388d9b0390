//! An event that cannot be processed becomes a dead letter with a reason; other events continue; a dead letter can be redriven.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use envelope::{Event, Slot};
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use messaging::{
    OnReject, Subscription, Topology,
    dead_letters::{
        self, DeadLetter, Pace, ResolveError, Selection, discard, discard_many, redrive,
    },
};
use metrics_exporter_prometheus::PrometheusBuilder;
use testkit::wait_for;
use tokio::sync::Semaphore;

use crate::harness::{Harness, Stepped, TIMEOUT, count, wait_for_count};

async fn wait_for_dead_letters(harness: &Harness, expected: usize) -> Vec<DeadLetter> {
    wait_for("the dead letters exist", TIMEOUT, async || {
        let mut connection = harness.consumer.pool().acquire().await.unwrap();
        let dead_letters =
            dead_letters::list(&mut connection, &Selection::default(), true, None, 100)
                .await
                .unwrap();
        if dead_letters.len() == expected {
            Ok(dead_letters)
        } else {
            Err(format!("{dead_letters:?}"))
        }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_rejected_event_blocks_its_key_until_it_is_redriven() {
    let harness = Harness::open(OnReject::BlockKey).await;
    harness.behavior.reject.lock().unwrap().push("bad".into());
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["bad", "good"], 1..=3).await;
    harness.wait_for_effects("good", &[1, 2, 3]).await;
    let dead_letter = wait_for_dead_letters(&harness, 1).await.remove(0);
    assert_eq!((dead_letter.reason.as_str(), dead_letter.sequence), ("rejected_by_test", Some(1)));
    assert_eq!(dead_letter.causes, ["no"]);
    assert!(dead_letter.blocks);
    assert_eq!(harness.effects("bad").await, [0_i64; 0]);

    // It fails again while nothing has changed.
    let topology = harness.consumer_topology();
    let again = redrive(&harness.consumer, &topology, dead_letter.id).await;
    assert!(matches!(again, Err(ResolveError::FailedAgain(_))), "{again:?}");
    harness.behavior.reject.lock().unwrap().clear();
    redrive(&harness.consumer, &topology, dead_letter.id).await.unwrap();
    harness.wait_for_effects("bad", &[1, 2, 3]).await;
    // A second redrive finds nothing.
    let twice = redrive(&harness.consumer, &topology, dead_letter.id).await;
    assert!(matches!(twice, Err(ResolveError::NotPending(_))), "{twice:?}");
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn discarding_a_dead_letter_unblocks_its_key() {
    let harness = Harness::open(OnReject::BlockKey).await;
    harness.behavior.reject.lock().unwrap().push("bad".into());
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["bad"], 1..=3).await;
    let dead_letter = wait_for_dead_letters(&harness, 1).await.remove(0);
    discard(&harness.consumer, dead_letter.id).await.unwrap();
    harness.wait_for_effects("bad", &[2, 3]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_rejection_that_does_not_block_lets_the_key_continue() {
    let harness = Harness::open(OnReject::Continue).await;
    harness.behavior.reject.lock().unwrap().push("bad".into());
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["bad"], 1..=3).await;
    harness.wait_for_effects("bad", &[2, 3]).await;
    assert!(!wait_for_dead_letters(&harness, 1).await[0].blocks);
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_bad_event_is_isolated_from_the_rest_of_its_batch() {
    let harness = Harness::open(OnReject::Continue).await;
    harness.behavior.fail.lock().unwrap().push("bad".into());
    harness.behavior.panic.lock().unwrap().push("explosive".into());
    let walks: Vec<String> = (0..30).map(|walk| format!("walk-{walk}")).collect();
    let mut names: Vec<&str> = walks.iter().map(String::as_str).collect();
    names.insert(11, "bad");
    names.insert(23, "explosive");
    // All events are in the outbox before the relay starts, so they arrive in batches.
    harness.publish_steps(&names, 1..=4).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.wait_for_total(30 * 4).await;
    harness.assert_effects(&walks, 4).await;
    let dead_letters = wait_for_dead_letters(&harness, 8).await;
    let reasons = |reason: &str| {
        dead_letters.iter().filter(|dead_letter| dead_letter.reason == reason).count()
    };
    assert_eq!((reasons("failed_by_test"), reasons("panicked")), (4, 4));
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// Publishes raw messages to the exchange of the publisher.
#[expect(
    clippy::disallowed_methods,
    reason = "malformed messages come from programs that do not use the kit"
)]
async fn publish_raw(harness: &Harness, bodies: &[&str]) {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(harness.vhost.url(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for body in bodies {
        let published = channel.basic_publish(
            "publisher".into(),
            "walk.3".into(),
            BasicPublishOptions::default(),
            body.as_bytes(),
            BasicProperties::default(),
        );
        published.await.unwrap().await.unwrap();
    }
}

#[tokio::test]
async fn a_malformed_message_becomes_a_dead_letter() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["good"], 1..=1).await;
    let undecodable_data = r#"[{"specversion":"1.0","id":"01920000-0000-7000-8000-000000000001",
        "source":"publisher","type":"walk.stepped.v1","subject":"odd","time":"2026-11-22T08:00:00Z",
        "sequence":"1","aggregate":"walk","data":{"walk":17}}]"#;
    publish_raw(&harness, &["不是 json", "[1,2]", undecodable_data]).await;
    harness.publish_steps(&["good"], 2..=2).await;
    harness.wait_for_effects("good", &[1, 2]).await;
    // The array with two numbers gives two dead letters.
    let dead_letters = wait_for_dead_letters(&harness, 4).await;
    assert!(
        dead_letters.iter().all(|dead_letter| dead_letter.reason == "undecodable"),
        "{dead_letters:?}"
    );
    assert!(dead_letters.iter().any(|dead_letter| dead_letter.payload == "不是 json"));
    assert!(dead_letters.iter().any(|dead_letter| dead_letter.key.as_deref() == Some("odd")));
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn discarding_many_malformed_messages_respects_the_limit() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    publish_raw(&harness, &["a", "b", "c", "d", "e"]).await;
    wait_for_dead_letters(&harness, 5).await;
    let mut after = None;
    for (discarded, left) in [(2, 3), (2, 1), (1, 0)] {
        let pace = Pace { per_second: 1_000, at_most: 2, within: TIMEOUT, after };
        let done = discard_many(&harness.consumer, &Selection::default(), pace).await.unwrap();
        assert_eq!((done.discarded, done.left), (discarded, left));
        after = done.next;
        assert_eq!(after.is_some(), left > 0);
    }
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_database_outage_does_not_count_as_an_attempt() {
    const OUTAGES: u32 = 3;
    let harness = Harness::open(OnReject::BlockKey).await;
    *harness.behavior.retry.lock().unwrap() = HashMap::from([("far".to_owned(), 1)]);
    *harness.behavior.outage.lock().unwrap() = HashMap::from([("far".to_owned(), u32::MAX)]);
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["far"], 1..=1).await;
    wait_for("the handler has met several outages", TIMEOUT, async || {
        let left = harness.behavior.outage.lock().unwrap()["far"];
        if u32::MAX - left >= OUTAGES { Ok(()) } else { Err(left) }
    })
    .await
    .unwrap();
    let starts: i32 = sqlx::query_scalar("select max(starts) from messaging.parked")
        .fetch_one(harness.consumer.pool())
        .await
        .unwrap();
    assert!(starts <= 1, "{starts} starts");
    // Other keys continue meanwhile.
    harness.publish_steps(&["near", "far"], 2..=2).await;
    harness.wait_for_effects("near", &[2]).await;
    harness.behavior.outage.lock().unwrap().clear();
    harness.wait_for_effects("far", &[1, 2]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// An alert uses this metric. Neither a redelivered message nor a write repeated after a failed commit is another dead letter.
#[tokio::test]
async fn a_dead_letter_is_counted_once_however_often_written() {
    // The consumer runs on the thread of the test.
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let harness = Harness::open(OnReject::BlockKey).await;
    sqlx::raw_sql(
        "create sequence tries;
         create function fail_twice() returns trigger language plpgsql as $$ begin
            if new.reason = 'rejected_by_test' and nextval('tries') <= 2 then raise 'not yet'; end if;
            return null;
         end $$;
         create constraint trigger fail_twice after insert on messaging.dead_letter
            deferrable initially deferred for each row execute function fail_twice()",
    )
    .execute(harness.consumer.pool())
    .await
    .unwrap();
    harness.behavior.reject.lock().unwrap().push("bad".into());
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["bad"], 1..=1).await;
    for _ in 0..3 {
        publish_raw(&harness, &["不是 json"]).await;
    }
    wait_for_dead_letters(&harness, 2).await;
    harness.assert_drained().await;
    let tries: i64 = sqlx::query_scalar("select last_value from tries")
        .fetch_one(harness.consumer.pool())
        .await
        .unwrap();
    assert_eq!(tries, 3);
    let text = recorder.handle().render();
    let mut counted: Vec<&str> =
        text.lines().filter(|line| line.starts_with("messaging_dead_letters_total")).collect();
    counted.sort_unstable();
    let once = ["rejected_by_test", "undecodable"]
        .map(|reason| format!("messaging_dead_letters_total{{reason=\"{reason}\"}} 1"));
    assert_eq!(counted, once);
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// A parked event is stored without its route, so the dead letter must find it again.
#[tokio::test]
async fn a_dead_letter_of_a_parked_event_has_route_and_attempts() {
    let behind_gap = ("gapped", "missing_predecessor", 0);
    let expected =
        [("deadly", "starts_exhausted", 30), behind_gap, ("tired", "retries_exhausted", 12)];
    for is_of_state in [false, true] {
        let harness = Harness::open(OnReject::BlockKey).await;
        let subscription: Subscription = if is_of_state {
            Subscription::to_state(Stepped::AGGREGATE, ["publisher"])
                .on(harness.record_effects())
                .into()
        } else {
            let cursors = Subscription::to(Stepped::AGGREGATE, ["publisher"], OnReject::BlockKey);
            cursors.on(harness.record_effects())
        };
        // Full-state events do not wait for a predecessor.
        let expected: Vec<_> =
            expected.into_iter().filter(|one| !is_of_state || *one != behind_gap).collect();
        let never = ["deadly", "tired"].map(|walk| (walk.to_owned(), u32::MAX));
        *harness.behavior.retry.lock().unwrap() = HashMap::from(never);
        harness.publish_steps(&["deadly", "tired"], 1..=1).await;
        harness.publish_steps(&["gapped"], 1..=2).await;
        sqlx::raw_sql("delete from messaging.outbox where key = 'gapped' and seq = 1")
            .execute(harness.publisher.pool())
            .await
            .unwrap();
        let publisher = harness.start_publisher();
        let consumer =
            harness.start_consumer_as(Topology::new("consumer").subscribes(subscription));
        let all = i64::try_from(expected.len()).unwrap();
        wait_for_count("all are parked", harness.consumer.pool(), "messaging.parked", all).await;
        // As if one event had failed eleven times, and another had killed its process at each start.
        sqlx::raw_sql(
            "update messaging.parked set next_at = now(),
                attempts = case key when 'tired' then 11 else attempts end,
                starts = case key when 'deadly' then 30 else starts end",
        )
        .execute(harness.consumer.pool())
        .await
        .unwrap();
        let mut dead_letters = wait_for_dead_letters(&harness, expected.len()).await;
        dead_letters.sort_by(|one, other| one.key.cmp(&other.key));
        for (dead_letter, (walk, reason, attempts)) in dead_letters.iter().zip(expected) {
            let route = (dead_letter.exchange.as_deref(), dead_letter.routing_key.as_deref());
            let routing_key = format!("walk.{}", Slot::of(walk).number());
            assert_eq!(route, (Some("publisher"), Some(routing_key.as_str())), "{dead_letter:?}");
            let tried =
                (dead_letter.key.as_deref(), dead_letter.reason.as_str(), dead_letter.attempts);
            assert_eq!(tried, (Some(walk), reason, attempts), "{dead_letter:?}");
        }
        // The event behind the gap still waits for its predecessor.
        sqlx::raw_sql("delete from messaging.parked where key = 'gapped'")
            .execute(harness.consumer.pool())
            .await
            .unwrap();
        harness.assert_drained().await;
        publisher.shut_down().await;
        consumer.shut_down().await;
    }
}

/// Errors of data (SQLSTATE class 22) and of constraints (23) are the event's. If they counted as an outage, one bad event would
/// stop its slot group for ever.
#[tokio::test]
async fn data_and_constraint_errors_are_the_events_own() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let statements = [
        ("divided", "select 1 / 0"),
        ("null", "insert into effect (walk, sequence) values ('null', 1)"),
        ("twice", "insert into effect values ('a', 1, 1), ('a', 1, 1)"),
    ];
    sqlx::raw_sql("create unique index once on effect (walk, number)")
        .execute(harness.consumer.pool())
        .await
        .unwrap();
    let bad = statements.map(|(walk, statement)| (walk.to_owned(), statement));
    *harness.behavior.sql.lock().unwrap() = HashMap::from(bad);
    let walks: Vec<String> = (0..30).map(|walk| format!("walk-{walk}")).collect();
    let names = walks.iter().map(String::as_str).chain(statements.map(|(walk, _)| walk));
    harness.publish_steps(&names.collect::<Vec<_>>(), 1..=2).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.wait_for_total(30 * 2).await;
    harness.assert_effects(&walks, 2).await;
    // As if they had failed eleven times.
    let pool = harness.consumer.pool();
    wait_for_count(
        "the bad events wait for a retry",
        pool,
        "messaging.parked where attempts > 0",
        3,
    )
    .await;
    sqlx::raw_sql("update messaging.parked set next_at = now(), attempts = 11 where why = 'retry'")
        .execute(pool)
        .await
        .unwrap();
    for dead_letter in wait_for_dead_letters(&harness, 3).await {
        assert_eq!(dead_letter.reason, "retries_exhausted", "{dead_letter:?}");
        assert_eq!(dead_letter.attempts, 12, "{dead_letter:?}");
    }
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// A statement that always fails for lack of memory looks like an outage. It used to stop its slot group for ever.
#[tokio::test]
async fn an_error_that_looks_like_an_outage_is_bounded() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let statement = "do $$ begin raise exception using errcode = 'out_of_memory'; end $$";
    harness.behavior.sql.lock().unwrap().insert("hungry".to_owned(), statement);
    let walks: Vec<String> = (0..30).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).chain(["hungry"]).collect();
    harness.publish_steps(&names, 1..=2).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.wait_for_total(30 * 2).await;
    harness.assert_effects(&walks, 2).await;
    // As if it had failed eleven times. It is blamed again after some seconds, and then it is dead.
    let pool = harness.consumer.pool();
    wait_for_count("it waits for a retry", pool, "messaging.parked where attempts > 0", 1).await;
    sqlx::raw_sql("update messaging.parked set next_at = now(), attempts = 11 where why = 'retry'")
        .execute(pool)
        .await
        .unwrap();
    let dead_letter = wait_for_dead_letters(&harness, 1).await.remove(0);
    assert_eq!(dead_letter.reason, "retries_exhausted", "{dead_letter:?}");
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// A predecessor that came after a minute used to be applied alone: each event behind it became a dead letter.
#[tokio::test]
async fn a_late_predecessor_revives_the_events_behind_it() {
    let harness = Harness::open(OnReject::BlockKey).await;
    harness.publish_steps(&["late"], 1..=4).await;
    harness.copy_outbox().await;
    sqlx::raw_sql("delete from messaging.outbox where seq <> 2")
        .execute(harness.publisher.pool())
        .await
        .unwrap();
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let pool = harness.consumer.pool();
    wait_for_count("2 waits for 1", pool, "messaging.parked", 1).await;
    sqlx::raw_sql("update messaging.parked set next_at = now()").execute(pool).await.unwrap();
    let letter = wait_for_dead_letters(&harness, 1).await.remove(0);
    assert_eq!((letter.sequence, letter.reason.as_str()), (Some(2), "missing_predecessor"));
    harness.wait_until_published().await;
    sqlx::raw_sql("delete from copy where seq = 2")
        .execute(harness.publisher.pool())
        .await
        .unwrap();
    harness.restore_outbox().await;
    harness.wait_for_effects("late", &[1, 2, 3, 4]).await;
    wait_for_dead_letters(&harness, 0).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// A dead letter behind a gap stays the same when the gap closes and the handler rejects the event.
#[tokio::test]
async fn a_late_rejection_reports_and_counts_a_dead_letter_once() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let harness = Harness::open(OnReject::BlockKey).await;
    harness.behavior.reject.lock().unwrap().push("late".into());
    let reports = Arc::new(AtomicU32::new(0));
    let counter = reports.clone();
    let subscription = Subscription::to(Stepped::AGGREGATE, ["publisher"], OnReject::BlockKey)
        .on(harness.record_effects())
        .on_dead_letter(move |_, _, _| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
    // Step 1, which is rejected, is published second.
    harness.publish_steps(&["late"], 2..=2).await;
    harness.publish_steps(&["late"], 1..=1).await;
    harness.copy_outbox().await;
    sqlx::raw_sql("delete from messaging.outbox where seq = 1")
        .execute(harness.publisher.pool())
        .await
        .unwrap();
    let publisher = harness.start_publisher();
    let consumer = harness.start_consumer_as(Topology::new("consumer").subscribes(subscription));
    wait_for_count(
        "the second waits for the first",
        harness.consumer.pool(),
        "messaging.parked",
        1,
    )
    .await;
    sqlx::raw_sql("update messaging.parked set next_at = now()")
        .execute(harness.consumer.pool())
        .await
        .unwrap();
    let behind_gap = wait_for_dead_letters(&harness, 1).await.remove(0);
    assert_eq!(behind_gap.reason, "missing_predecessor");
    harness.wait_until_published().await;
    harness.restore_outbox().await;
    wait_for("the event is rejected", TIMEOUT, async || {
        let dead_letter = wait_for_dead_letters(&harness, 1).await.remove(0);
        if dead_letter.reason == "rejected_by_test" {
            Ok(dead_letter)
        } else {
            Err(dead_letter.reason)
        }
    })
    .await
    .map(|rejected| assert_eq!(rejected.id, behind_gap.id))
    .unwrap();
    harness.wait_for_effects("late", &[2]).await;
    harness.assert_drained().await;
    assert_eq!(reports.load(Ordering::SeqCst), 1);
    let text = recorder.handle().render();
    let counted: Vec<&str> =
        text.lines().filter(|line| line.starts_with("messaging_dead_letters_total")).collect();
    assert_eq!(counted, ["messaging_dead_letters_total{reason=\"missing_predecessor\"} 1"]);
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_key_continues_after_all_its_dead_letters_are_resolved() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let event = |number: u8, data: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"01920000-0000-7000-8000-00000000000{number}","source":"publisher",
            "type":"walk.stepped.v1","subject":"odd","time":"2026-11-22T08:00:00Z","sequence":"{number}",
            "aggregate":"walk","data":{data}}}"#
        )
    };
    let (bad, good) = (r#"{"walk":17}"#, r#"{"walk":"odd","number":3}"#);
    let together = format!("[{},{},{}]", event(1, bad), event(2, bad), event(3, good));
    publish_raw(&harness, &[&together]).await;
    let mut both = wait_for_dead_letters(&harness, 2).await;
    both.sort_by_key(|dead_letter| dead_letter.sequence);
    let second_first = discard(&harness.consumer, both[1].id).await;
    assert!(matches!(second_first, Err(ResolveError::NotYet { .. })), "{second_first:?}");

    discard(&harness.consumer, both[0].id).await.unwrap();
    // Another key takes effect meanwhile; this one is still blocked.
    harness.publish_steps(&["good"], 1..=1).await;
    harness.wait_for_effects("good", &[1]).await;
    assert_eq!(harness.effects("odd").await, [0_i64; 0]);
    discard(&harness.consumer, both[1].id).await.unwrap();
    harness.wait_for_effects("odd", &[3]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn events_at_the_delivery_limit_are_retried_key_by_key() {
    /// More than the broker's delivery limit.
    const DEATHS: u32 = 60;
    let harness = Harness::open(OnReject::BlockKey).await;
    harness.behavior.gate.forget_permits(Semaphore::MAX_PERMITS);
    let walks: Vec<String> = (0..8).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    harness.publish_steps(&names, 1..=2).await;
    let publisher = harness.start_publisher();
    let parked = "messaging.parked where causes[1] like 'delivery limit%'";
    let mut deaths = 0;
    while count(harness.consumer.pool(), parked).await == 0 {
        assert!(deaths < DEATHS, "the broker never stops delivering");
        deaths += 1;
        let before = harness.behavior.at_gate.load(Ordering::SeqCst);
        let consumer = harness.start_consumer();
        // Either the consumer processes a batch, or the broker has dead-lettered it.
        wait_for("the consumer has a batch", TIMEOUT, async || {
            let at_gate = harness.behavior.at_gate.load(Ordering::SeqCst);
            let dead_lettered = count(harness.consumer.pool(), parked).await;
            if at_gate > before || dead_lettered > 0 {
                Ok(())
            } else {
                Err(format!("{at_gate} at the gate"))
            }
        })
        .await
        .unwrap();
        consumer.kill().await;
    }
    harness.behavior.gate.add_permits(1_000);
    let consumer = harness.start_consumer();
    for walk in &names {
        harness.wait_for_effects(walk, &[1, 2]).await;
    }
    wait_for_dead_letters(&harness, 0).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
