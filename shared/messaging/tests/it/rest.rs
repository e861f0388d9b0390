//! A process that is alone and has nothing to do rests. Work and other replicas end its rest at once.

use std::time::{Duration, Instant};

use messaging::{OnReject, Outbox};
use sqlx::PgPool;
use testkit::wait_for;

use crate::{
    harness::{Harness, Stepped, TIMEOUT, count, wait_for_count},
    replicas::wait_for_queue_counts,
};

/// When a membership expires that is not renewed.
const MEMBERSHIP_TTL: Duration = Duration::from_secs(3);

/// How long a busy machine may take for what happens at once, and much less than the pause of a loop at rest.
const SOON: Duration = Duration::from_secs(6);

/// The pause of a loop at rest.
const REST_INTERVAL: Duration = Duration::from_secs(15);

/// Waits until the process of a service rests: it renews its membership for a longer time.
async fn wait_for_rest(pool: &PgPool) {
    wait_for("the process rests", TIMEOUT, async || {
        let query = "select min(expires_at) > now() + interval '10 seconds' from messaging.replica";
        let rests: Option<bool> = sqlx::query_scalar(query).fetch_one(pool).await.unwrap();
        if rests == Some(true) { Ok(()) } else { Err("it does not rest") }
    })
    .await
    .unwrap();
}

/// Commits a step, and returns the time until it is published.
async fn publish_time(harness: &Harness, outbox: &Outbox, number: i64) -> Duration {
    let mut tx = outbox.begin().await.unwrap();
    tx.emit(&Stepped { walk: "w".into(), number }).unwrap();
    tx.commit().await.unwrap();
    let began = Instant::now();
    harness.wait_until_published().await;
    began.elapsed()
}

#[tokio::test]
async fn a_commit_at_rest_is_published_at_once() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    // The process that rests, and one that is no replica.
    let other = harness.another_publisher().await;
    for (number, outbox) in [(1, &harness.publisher), (2, &other)] {
        wait_for_rest(harness.publisher.pool()).await;
        let took = publish_time(&harness, outbox, number).await;
        assert!(took < SOON, "step {number}: {took:?}");
    }
    harness.wait_for_effects("w", &[1, 2]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// The result of a commit may be unknown; then no relay is notified.
#[tokio::test]
async fn rows_of_unknown_origin_are_published_at_rest() {
    let harness = Harness::open(OnReject::BlockKey).await;
    harness.publish_steps(&["w"], 1..=2).await;
    harness.copy_outbox().await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.wait_for_effects("w", &[1, 2]).await;
    wait_for_rest(harness.publisher.pool()).await;
    harness.restore_outbox().await;
    let began = Instant::now();
    harness.wait_until_published().await;
    assert!(began.elapsed() < REST_INTERVAL + SOON, "{:?}", began.elapsed());
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_replica_that_joins_ends_the_rest() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let first = harness.start_consumer();
    wait_for_rest(harness.consumer.pool()).await;
    let second = harness.start_another_consumer().await;
    let shared = wait_for_queue_counts(&harness, &[1, 1]).await;
    assert!(shared < SOON, "{shared:?}");
    first.shut_down().await;
    let taken = wait_for_queue_counts(&harness, &[2]).await;
    assert!(taken < MEMBERSHIP_TTL, "{taken:?}");
    second.shut_down().await;
    assert_eq!(count(harness.consumer.pool(), "messaging.active_replica").await, 0);
}

/// A process that was paused while it rested keeps its database session, and its membership lasts longer than others.
#[tokio::test]
async fn a_replica_paused_at_rest_is_not_waited_for() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let _paused = harness.add_paused_replica(Duration::from_secs(45)).await;
    let consumer = harness.start_consumer();
    let pool = harness.consumer.pool();
    wait_for_count("two replicas are members", pool, "messaging.active_replica", 2).await;
    let taken = wait_for_queue_counts(&harness, &[2]).await;
    assert!(taken < MEMBERSHIP_TTL + SOON, "{taken:?}");
    consumer.shut_down().await;
}
