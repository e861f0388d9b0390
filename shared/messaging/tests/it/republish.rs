//! What was published can be published again, and takes effect once.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use messaging::{
    MessageLogBounds, OnReject,
    republish::{Republication, RepublishError},
};
use testkit::wait_for;

use crate::harness::{Harness, TIMEOUT, count, wait_for_count};

/// A walk of each slot group, and one more.
const WALKS: [&str; 3] = ["walk-0", "walk-1", "walk-2"];

fn walks() -> [String; 3] {
    WALKS.map(str::to_owned)
}

/// A time before everything that a test publishes.
pub(crate) fn long_ago() -> DateTime<Utc> {
    now() - TimeDelta::hours(1)
}

#[expect(clippy::disallowed_methods, reason = "the kit has no clock of its own")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

#[tokio::test]
async fn events_of_a_lost_queue_take_effect_once() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&WALKS, 1..=5).await;
    harness.wait_for_total(15).await;
    consumer.shut_down().await;
    harness.publish_steps(&WALKS, 6..=10).await;
    harness.wait_until_published().await;
    assert!(harness.delete_queues().await > 0, "the queues were empty");
    let consumer = harness.start_consumer();
    // A later event shows the loss of one walk; nothing shows the loss of the others.
    consumer.wait_for_queues().await;
    harness.publish_steps(&WALKS[..1], 11..=11).await;
    wait_for_count("the gap is noticed", harness.consumer.pool(), "messaging.parked", 1).await;

    let report = harness.republish(long_ago()).await;
    assert_eq!((report.events, report.aggregates), (31, vec!["walk"]));
    harness.wait_for_effects(WALKS[0], &(1..=11).collect::<Vec<_>>()).await;
    harness.wait_for_total(31).await;
    harness.assert_effects(&walks()[1..], 10).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_subscriber_restored_from_a_backup_catches_up() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&WALKS, 1..=5).await;
    harness.wait_for_total(15).await;
    harness.assert_drained().await;
    consumer.shut_down().await;
    let backup = harness.back_up_consumer().await;
    let since = now() - TimeDelta::seconds(1);
    let consumer = harness.start_consumer();
    harness.publish_steps(&WALKS, 6..=200).await;
    harness.wait_for_total(600).await;
    consumer.shut_down().await;

    harness.restore_consumer(&backup).await;
    assert_eq!(count(harness.consumer.pool(), "effect").await, 15);
    let consumer = harness.start_consumer();
    let report = harness.republish(since).await;
    assert!(report.events >= 585, "{report:?}");
    harness.wait_for_total(600).await;
    harness.assert_effects(&walks(), 200).await;
    harness.assert_drained().await;
    harness.publish_steps(&WALKS, 201..=201).await;
    harness.wait_for_total(603).await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn republishing_to_a_stranger_is_refused() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let republication = Republication {
        subscriber: "stranger".to_owned(),
        since: long_ago(),
        after: None,
        within: Duration::from_secs(1),
    };
    let refused = harness.republisher().republish(&republication).await;
    assert!(matches!(refused, Err(RepublishError::NotSubscribed { .. })), "{refused:?}");
}

#[tokio::test]
async fn an_old_message_leaves_the_log() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let bounds = MessageLogBounds { age: Duration::from_secs(2), ..MessageLogBounds::default() };
    let publisher = harness.start_publisher_with_log(bounds);
    harness.publish_steps(&WALKS, 1..=1).await;
    harness.wait_until_published().await;
    assert!(count(harness.publisher.pool(), "messaging.message").await > 0);
    wait_for_count("the log is empty", harness.publisher.pool(), "messaging.message", 0).await;
    publisher.shut_down().await;
}

#[tokio::test]
async fn a_full_log_loses_its_oldest_messages() {
    let harness = Harness::open(OnReject::BlockKey).await;
    // The check runs every five seconds.
    let bounds = MessageLogBounds { age: Duration::from_mins(1), bytes: 512 * 1024 };
    let publisher = harness.start_publisher_with_log(bounds);
    let pool = harness.publisher.pool();
    harness.publish_steps(&WALKS, 1..=1).await;
    wait_for("the first message is dropped", TIMEOUT * 2, async || {
        harness.publish_steps(&WALKS, 1..=200).await;
        let oldest: i64 = sqlx::query_scalar("select coalesce(min(id), 0) from messaging.message")
            .fetch_one(pool)
            .await
            .unwrap();
        if oldest > 1 { Ok(()) } else { Err(format!("the oldest message is {oldest}")) }
    })
    .await
    .unwrap();
    let size: i64 = sqlx::query_scalar(
        "select sum(pg_total_relation_size(inhrelid))::bigint from pg_inherits
         where inhparent = 'messaging.message'::regclass",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert!(size < 4 * 512 * 1024, "the log has {size} bytes");
    publisher.shut_down().await;
}
