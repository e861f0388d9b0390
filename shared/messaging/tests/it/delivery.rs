//! Events are published with their transaction and take effect once and in order.

use std::{
    collections::HashMap,
    marker::PhantomData,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use envelope::Event;
use messaging::{Batch, Failure, Handler, OnReject, Subscription, Topology, Transaction};

use crate::harness::{Harness, RecordEffects, Rested, Stepped, count, wait_for_count};

#[tokio::test]
async fn an_event_is_published_only_if_its_transaction_commits() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let mut rolled_back = harness.publisher.begin().await.unwrap();
    rolled_back.emit(&Stepped { walk: "never".into(), number: 1 }).unwrap();
    drop(rolled_back);
    harness.publish_steps(&["always"], 1..=1).await;
    harness.wait_for_effects("always", &[1]).await;
    assert_eq!(harness.effects("never").await, [0_i64; 0]);
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn keys_keep_their_order_across_many_transactions() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let walks: Vec<String> = (0..40).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    // Eight concurrent writers with their own walks, in transactions of several steps.
    let writers = names.chunks(5).map(|mine| async {
        for start in (1..=60).step_by(3) {
            harness.publish_steps(mine, start..=start + 2).await;
        }
    });
    futures::future::join_all(writers).await;
    harness.wait_for_total(40 * 60).await;
    harness.assert_effects(&walks, 60).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn sequence_numbers_of_a_key_follow_the_commit_order() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let writers = (0..10).map(|writer| {
        let harness = &harness;
        async move {
            for number in 1..=20 {
                harness
                    .publish_steps(&["shared"], writer * 100 + number..=writer * 100 + number)
                    .await;
            }
        }
    });
    futures::future::join_all(writers).await;
    harness.wait_for_total(200).await;
    let sequences: Vec<i64> = sqlx::query_scalar("select sequence from effect order by place")
        .fetch_all(harness.consumer.pool())
        .await
        .unwrap();
    assert_eq!(sequences, (1..=200).collect::<Vec<_>>());
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn an_ignored_event_type_only_moves_the_cursor() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let mut tx = harness.publisher.begin().await.unwrap();
    tx.emit(&Stepped { walk: "w".into(), number: 1 }).unwrap();
    tx.emit(&Rested { walk: "w".into() }).unwrap();
    tx.emit(&Stepped { walk: "w".into(), number: 2 }).unwrap();
    tx.commit().await.unwrap();
    harness.wait_for_effects("w", &[1, 2]).await;
    let last: i64 = sqlx::query_scalar("select last from messaging.cursor where key = 'w'")
        .fetch_one(harness.consumer.pool())
        .await
        .unwrap();
    assert_eq!(last, 3);
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_duplicate_is_ignored_however_late() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let consumer = harness.start_consumer();
    harness.publish_steps(&["w", "v"], 1..=50).await;
    harness.copy_outbox().await;
    let publisher = harness.start_publisher();
    harness.wait_for_total(100).await;
    for _ in 0..2 {
        harness.restore_outbox().await;
        harness.assert_drained().await;
    }
    // New events take effect after the duplicates.
    harness.publish_steps(&["w", "v"], 51..=51).await;
    harness.wait_for_effects("w", &(1..=51).collect::<Vec<_>>()).await;
    harness.wait_for_effects("v", &(1..=51).collect::<Vec<_>>()).await;
    assert_eq!(count(harness.consumer.pool(), "effect").await, 102);
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_gap_parks_later_events_and_is_never_skipped() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let consumer = harness.start_consumer();
    harness.publish_steps(&["gapped", "whole"], 1..=4).await;
    let mut connection = harness.publisher.pool().acquire().await.unwrap();
    sqlx::raw_sql(
        "create table held as select * from messaging.outbox where key = 'gapped' and seq = 2;
         delete from messaging.outbox where key = 'gapped' and seq = 2",
    )
    .execute(&mut *connection)
    .await
    .unwrap();
    let publisher = harness.start_publisher();
    harness.wait_for_effects("whole", &[1, 2, 3, 4]).await;
    harness.wait_for_effects("gapped", &[1]).await;
    wait_for_count("the later events are parked", harness.consumer.pool(), "messaging.parked", 2)
        .await;
    sqlx::raw_sql("insert into messaging.outbox overriding system value select * from held")
        .execute(&mut *connection)
        .await
        .unwrap();
    harness.wait_for_effects("gapped", &[1, 2, 3, 4]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn an_event_whose_handler_hangs_blocks_only_its_key() {
    let harness = Harness::open(OnReject::BlockKey).await;
    harness.behavior.hang.lock().unwrap().push("stuck".into());
    let walks: Vec<String> = (0..30).map(|walk| format!("walk-{walk}")).collect();
    let mut names: Vec<&str> = walks.iter().map(String::as_str).collect();
    names.insert(11, "stuck");
    // All events are in the outbox before the relay starts, so they arrive in batches.
    harness.publish_steps(&names, 1..=3).await;
    let subscription = Subscription::to(Stepped::AGGREGATE, ["publisher"], OnReject::BlockKey)
        .handler_timeout(Duration::from_millis(300))
        .on(harness.record_effects());
    let (publisher, consumer) = (
        harness.start_publisher(),
        harness.start_consumer_as(Topology::new("consumer").subscribes(subscription)),
    );
    harness.wait_for_total(30 * 3).await;
    harness.assert_effects(&walks, 3).await;
    let retries =
        "messaging.parked where why = 'retry' and causes[1] like 'the handler took longer%'";
    assert_eq!(count(harness.consumer.pool(), retries).await, 1);
    harness.behavior.hang.lock().unwrap().clear();
    harness.wait_for_effects("stuck", &[1, 2, 3]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// Exceeds the statement timeout, or the idle timeout of its transaction, in the first two attempts at the walk `stuck`. Records the
/// batch size of each attempt.
struct Stall {
    record_effects: RecordEffects,
    is_idle: bool,
    batch_sizes: Arc<Mutex<Vec<usize>>>,
}

impl Handler for Stall {
    type Event = Stepped;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<Stepped>,
    ) -> Result<(), Failure> {
        let is_stuck = |step: &Stepped| step.walk == "stuck" && step.number == 1;
        let stuck = batch.delivered().iter().find(|one| is_stuck(&one.event));
        if let Some(attempts) = stuck.map(|one| one.attempts) {
            self.batch_sizes.lock().unwrap().push(batch.delivered().len());
            if attempts < 2 && self.is_idle {
                tokio::time::sleep(Duration::from_millis(5_500)).await;
            } else if attempts < 2 {
                sqlx::raw_sql("set local statement_timeout = '2500ms'; select pg_sleep(60)")
                    .execute(&mut **tx)
                    .await?;
            }
        }
        self.record_effects.handle(tx, batch).await
    }
}

#[tokio::test]
async fn a_batch_with_a_statement_timeout_is_split_at_once() {
    run_stall(false).await;
}

/// PostgreSQL closes the connection then. This must not count as an outage, which would not count as an attempt.
#[tokio::test]
async fn an_idle_transaction_timeout_counts_as_an_attempt() {
    run_stall(true).await;
}

async fn run_stall(is_idle: bool) {
    let harness = Harness::open(OnReject::BlockKey).await;
    let walks: Vec<String> = (0..60).map(|walk| format!("walk-{walk}")).collect();
    let mut names: Vec<&str> = walks.iter().map(String::as_str).collect();
    names.insert(11, "stuck");
    harness.publish_steps(&names, 1..=3).await;
    let batch_sizes = Arc::new(Mutex::new(Vec::new()));
    let handler = Stall {
        record_effects: harness.record_effects(),
        is_idle,
        batch_sizes: batch_sizes.clone(),
    };
    let subscription =
        Subscription::to(Stepped::AGGREGATE, ["publisher"], OnReject::BlockKey).on(handler);
    let (publisher, consumer) = (
        harness.start_publisher(),
        harness.start_consumer_as(Topology::new("consumer").subscribes(subscription)),
    );
    harness.wait_for_total(61 * 3).await;
    harness.assert_effects(&walks, 3).await;
    harness.wait_for_effects("stuck", &[1, 2, 3]).await;
    // In a large batch first, then alone, also in retries while later events of its walk wait.
    let batch_sizes = batch_sizes.lock().unwrap().clone();
    assert!(batch_sizes[0] > 8, "{batch_sizes:?}");
    assert_eq!(batch_sizes[1..], [1, 1, 1], "{batch_sizes:?}");
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// Waits for a time, and records the transaction of each event.
struct Slow<E>(Duration, PhantomData<E>);

impl<E: Event> Handler for Slow<E> {
    type Event = E;

    async fn handle(&self, tx: &mut Transaction, batch: &mut Batch<E>) -> Result<(), Failure> {
        tokio::time::sleep(self.0).await;
        for one in batch.delivered() {
            let _: i64 = sqlx::query_scalar(
                "insert into effect (walk, number, sequence)
                 values (pg_current_xact_id()::text, 0, $1) returning place",
            )
            .bind(one.sequence)
            .fetch_one(&mut **tx)
            .await?;
        }
        Ok(())
    }
}

/// The number of transactions that [`Slow`] has recorded.
async fn transactions(harness: &Harness) -> u128 {
    let transactions: i64 = sqlx::query_scalar("select count(distinct walk) from effect")
        .fetch_one(harness.consumer.pool())
        .await
        .unwrap();
    u128::try_from(transactions).unwrap()
}

#[tokio::test]
async fn batches_begin_at_least_the_interval_apart() {
    const INTERVAL: Duration = Duration::from_millis(500);
    let harness = Harness::open(OnReject::BlockKey).await;
    let subscription = Subscription::to(Stepped::AGGREGATE, ["publisher"], OnReject::BlockKey)
        .min_interval(INTERVAL)
        .on(Slow::<Stepped>(Duration::ZERO, PhantomData));
    let (publisher, consumer) = (
        harness.start_publisher(),
        harness.start_consumer_as(Topology::new("consumer").subscribes(subscription)),
    );
    consumer.wait_for_queues().await;
    let began = Instant::now();
    // All events of a walk are in one queue.
    for number in 1..=40 {
        harness.publish_steps(&["w"], number..=number).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    harness.wait_for_total(40).await;
    let intervals = began.elapsed().as_millis() / INTERVAL.as_millis();
    let transactions = transactions(&harness).await;
    assert!(transactions <= intervals + 1, "{transactions} in {intervals} intervals");
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn the_runs_of_a_batch_share_the_handler_timeout() {
    let harness = Harness::open(OnReject::BlockKey).await;
    // One key and two alternating types, so that each event is its own run.
    let mut tx = harness.publisher.begin().await.unwrap();
    for number in 1..=4 {
        tx.emit(&Stepped { walk: "w".into(), number }).unwrap();
        tx.emit(&Rested { walk: "w".into() }).unwrap();
    }
    tx.commit().await.unwrap();
    let subscription = Subscription::to(Stepped::AGGREGATE, ["publisher"], OnReject::BlockKey)
        .handler_timeout(Duration::from_secs(1))
        .on(Slow::<Stepped>(Duration::from_millis(200), PhantomData))
        .on(Slow::<Rested>(Duration::from_millis(200), PhantomData));
    let (publisher, consumer) = (
        harness.start_publisher(),
        harness.start_consumer_as(Topology::new("consumer").subscribes(subscription)),
    );
    harness.wait_for_total(8).await;
    // Together they would exceed the timeout, so each gets its own transaction.
    assert_eq!(transactions(&harness).await, 8);
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_retry_delays_only_its_key() {
    let harness = Harness::open(OnReject::BlockKey).await;
    *harness.behavior.retry.lock().unwrap() = HashMap::from([("slow".to_owned(), 3)]);
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["slow", "quick"], 1..=5).await;
    harness.wait_for_effects("quick", &[1, 2, 3, 4, 5]).await;
    harness.wait_for_effects("slow", &[1, 2, 3, 4, 5]).await;
    // Events after the retries are not delayed.
    harness.publish_steps(&["slow"], 6..=6).await;
    harness.wait_for_effects("slow", &[1, 2, 3, 4, 5, 6]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
