//! A publisher whose database went back is reconciled with its subscribers: its next events take effect.

use messaging::{
    OnReject,
    reconcile::{LostCommits, ReconcileError, RecordedLoss, lost_commits},
};
use testkit::wait_for;

use crate::harness::{Harness, TIMEOUT, count, wait_for_count};

/// Walks of both slot groups.
const WALKS: [&str; 3] = ["walk-0", "walk-1", "walk-2"];

fn lost(key: &str, last: i64, seen: i64) -> LostCommits {
    let (aggregate, subscriber) = ("walk".to_owned(), "consumer".to_owned());
    LostCommits { aggregate, key: key.to_owned(), last, seen, subscriber }
}

async fn recorded(harness: &Harness) -> Vec<RecordedLoss> {
    let mut connection = harness.publisher.pool().acquire().await.unwrap();
    lost_commits(&mut connection, 10).await.unwrap()
}

/// The last position of each slot.
async fn given_out(harness: &Harness) -> Vec<(i16, i64)> {
    sqlx::query_as("select slot, last from messaging.slot_position order by slot")
        .fetch_all(harness.publisher.pool())
        .await
        .unwrap()
}

/// Waits until the consumer has stored which positions have arrived, which it does once a second. Returns the last of each slot.
async fn wait_for_positions(harness: &Harness) -> Vec<(i16, i64)> {
    let expected = given_out(harness).await;
    wait_for("the positions are stored", TIMEOUT, async || {
        let received: Vec<(i16, i64)> =
            sqlx::query_as("select slot, received from messaging.received_position order by slot")
                .fetch_all(harness.consumer.pool())
                .await
                .unwrap();
        if received == expected { Ok(received) } else { Err(format!("{received:?}")) }
    })
    .await
    .unwrap()
}

/// Without the reconciliation, the consumer takes the new events for duplicates.
#[tokio::test]
async fn new_events_of_a_restored_publisher_take_effect() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&WALKS, 1..=5).await;
    harness.wait_for_total(15).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    let backup = harness.back_up_publisher().await;
    let publisher = harness.start_publisher();
    harness.publish_steps(&WALKS[..1], 6..=9).await;
    harness.publish_steps(&["late"], 1..=2).await;
    harness.wait_for_total(21).await;
    harness.assert_drained().await;
    let positions = wait_for_positions(&harness).await;
    publisher.shut_down().await;
    harness.restore_publisher(&backup).await;

    let expected = [lost("late", 0, 2), lost(WALKS[0], 5, 9)];
    let compared = harness.compare().await.unwrap();
    assert_eq!((compared.compared[0].keys, &*compared.lost_commits), (4, &expected[..]));
    assert_eq!(recorded(&harness).await, [], "a comparison changes nothing");
    assert_eq!(harness.reconcile().await, expected);
    // No position is given out twice, so the publisher is not taken for one that went back.
    assert_eq!(given_out(&harness).await, positions);
    let found: Vec<(String, i64)> =
        recorded(&harness).await.into_iter().map(|loss| (loss.key, loss.seen)).collect();
    assert_eq!(found, [("late".to_owned(), 2), (WALKS[0].to_owned(), 9)]);

    let publisher = harness.start_publisher();
    harness.publish_steps(&[WALKS[0], WALKS[1], "late"], 100..=100).await;
    harness.wait_for_effects(WALKS[0], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 100]).await;
    harness.wait_for_effects(WALKS[1], &[1, 2, 3, 4, 5, 100]).await;
    harness.wait_for_effects("late", &[1, 2, 100]).await;
    harness.assert_drained().await;
    assert_eq!(harness.reconcile().await, [], "nothing is left");
    assert_eq!(count(harness.consumer.pool(), "messaging.dead_letter").await, 0);
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn parked_events_were_seen_and_waiting_ones_are_not() {
    let harness = Harness::open(OnReject::BlockKey).await;
    harness.behavior.retry.lock().unwrap().insert("parked".to_owned(), u32::MAX);
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&WALKS[..1], 1..=1).await;
    harness.wait_for_total(1).await;
    publisher.shut_down().await;
    let backup = harness.back_up_publisher().await;
    let publisher = harness.start_publisher();
    harness.publish_steps(&["parked"], 1..=2).await;
    wait_for_count("both are parked", harness.consumer.pool(), "messaging.parked", 2).await;
    consumer.shut_down().await;
    harness.publish_steps(&["waiting"], 1..=1).await;
    harness.wait_until_published().await;
    publisher.shut_down().await;
    harness.restore_publisher(&backup).await;

    // The numbers in the queue are not known, so nothing is compared.
    let refused = harness.compare().await;
    assert!(matches!(refused, Err(ReconcileError::Waiting { messages: 1, .. })), "{refused:?}");
    let consumer = harness.start_consumer();
    let compared = wait_for("the queue is empty", TIMEOUT, async || harness.compare().await);
    let expected = [lost("parked", 0, 2), lost("waiting", 0, 1)];
    assert_eq!(compared.await.unwrap().lost_commits, expected);
    consumer.shut_down().await;
}
