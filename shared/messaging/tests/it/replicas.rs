//! Replicas of a service divide its queues and take over from each other.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use messaging::OnReject;
use testkit::wait_for;

use crate::harness::{Harness, TIMEOUT, count, wait_for_count};

/// When a membership expires, and how long the others may take to notice.
const MEMBERSHIP_TTL: Duration = Duration::from_secs(3);
const DETECTION_TIME: Duration = Duration::from_secs(2);

/// The interval between steps while replicas are replaced; long enough for a busy machine.
const INTERVAL: Duration = Duration::from_millis(20);

/// The number of queues of each live replica, in ascending order.
async fn queue_counts(harness: &Harness) -> Vec<i64> {
    sqlx::query_scalar(
        "select count(a.queue) from messaging.active_replica r
         left join messaging.queue_assignment a on a.holder = r.id group by r.id order by 1",
    )
    .fetch_all(harness.consumer.pool())
    .await
    .unwrap()
}

/// Waits for these queue counts, and returns the time.
pub(crate) async fn wait_for_queue_counts(harness: &Harness, expected: &[i64]) -> Duration {
    let began = Instant::now();
    wait_for(&format!("the queue counts are {expected:?}"), TIMEOUT, async || {
        let counts = queue_counts(harness).await;
        if counts == expected { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .await
    .unwrap();
    began.elapsed()
}

#[tokio::test]
async fn replicas_divide_the_queues_and_take_over() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let first = harness.start_another_consumer().await;
    wait_for_queue_counts(&harness, &[2]).await;
    let second = harness.start_another_consumer().await;
    wait_for_queue_counts(&harness, &[1, 1]).await;
    let third = harness.start_another_consumer().await;
    wait_for_queue_counts(&harness, &[0, 1, 1]).await;
    wait_for("each queue has exactly one consumer", TIMEOUT, async || {
        let queues = harness.vhost.queues().await.unwrap();
        let walks = queues.iter().filter(|queue| queue.name.starts_with("consumer.walk"));
        let consumers: Vec<u64> = walks.map(|queue| queue.consumers).collect();
        if consumers == [1, 1] { Ok(()) } else { Err(format!("{consumers:?}")) }
    })
    .await
    .unwrap();
    // Both a shutdown and a kill are noticed before the membership expires.
    first.shut_down().await;
    let after_stop = wait_for_queue_counts(&harness, &[1, 1]).await;
    second.kill().await;
    let after_death = wait_for_queue_counts(&harness, &[2]).await;
    assert!(after_stop < MEMBERSHIP_TTL, "{after_stop:?}");
    assert!(after_death < MEMBERSHIP_TTL, "{after_death:?}");
    third.shut_down().await;
    assert_eq!(count(harness.consumer.pool(), "messaging.active_replica").await, 0);
}

/// A paused process keeps its database session but does not renew its membership.
#[tokio::test]
async fn a_membership_that_is_not_renewed_expires() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let _paused = harness.add_paused_replica(Duration::from_secs(3)).await;
    let consumer = harness.start_another_consumer().await;
    wait_for_count(
        "two replicas are members",
        harness.consumer.pool(),
        "messaging.active_replica",
        2,
    )
    .await;
    // The paused replica releases nothing, so the other one has to wait.
    let waited = wait_for_queue_counts(&harness, &[2]).await;
    assert!(
        waited + DETECTION_TIME > MEMBERSHIP_TTL && waited < MEMBERSHIP_TTL + DETECTION_TIME,
        "{waited:?}"
    );
    consumer.shut_down().await;
}

/// Waits until each walk, and so each queue, makes progress.
pub(crate) async fn wait_for_progress(harness: &Harness, walks: &[&str]) {
    let furthest = async || -> HashMap<String, i64> {
        sqlx::query_as("select walk, max(number) from effect group by walk")
            .fetch_all(harness.consumer.pool())
            .await
            .unwrap()
            .into_iter()
            .collect()
    };
    let before = furthest().await;
    wait_for("each walk makes progress", TIMEOUT, async || {
        let now = furthest().await;
        let stuck = walks.iter().filter(|walk| now.get(**walk) <= before.get(**walk));
        match stuck.count() {
            0 => Ok(()),
            stuck => Err(format!("{stuck} do not")),
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn replacing_replicas_loses_and_duplicates_nothing() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let walks: Vec<String> = (0..20).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    let publisher = harness.start_publisher();
    let over = AtomicBool::new(false);
    let write = harness.publish_steps_until(&over, INTERVAL, &names);
    let replace = async {
        let mut elder = harness.start_another_consumer().await;
        for round in 0..6 {
            let younger = harness.start_another_consumer().await;
            wait_for_queue_counts(&harness, &[1, 1]).await;
            wait_for_progress(&harness, &names).await;
            if round % 2 == 0 {
                elder.kill().await;
            } else {
                elder.shut_down().await;
            }
            wait_for_queue_counts(&harness, &[2]).await;
            wait_for_progress(&harness, &names).await;
            elder = younger;
        }
        over.store(true, Ordering::Relaxed);
        elder
    };
    let (last, consumer) = tokio::join!(write, replace);
    harness.wait_for_total(20 * last).await;
    harness.assert_effects(&walks, last).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
