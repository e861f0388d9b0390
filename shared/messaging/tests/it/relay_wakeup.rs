//! A process that does not lead the relay wakes the leader.

use std::time::{Duration, Instant};

use messaging::{OnReject, Outbox};
use testkit::wait_for;

use crate::harness::{Harness, Stepped, TIMEOUT, count};

/// The number of transactions, one after the other.
const TRANSACTIONS: u32 = 40;

/// The relay polls an empty outbox at this interval, unless it is woken.
const SWEEP_INTERVAL: Duration = Duration::from_millis(250);

/// Commits one step, and returns the time until the relay has published it.
async fn publish_latency(harness: &Harness, outbox: &Outbox, number: i64) -> Duration {
    let mut tx = outbox.begin().await.unwrap();
    tx.emit(&Stepped { walk: "w".into(), number }).unwrap();
    let began = Instant::now();
    tx.commit().await.unwrap();
    while count(harness.publisher.pool(), "messaging.outbox").await > 0 {
        assert!(began.elapsed() < TIMEOUT, "step {number} stays in the outbox");
    }
    began.elapsed()
}

/// With polling alone each event would wait for most of the interval, because the relay has just polled.
#[tokio::test]
async fn a_commit_in_another_process_wakes_the_relay() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    // Another process on the same database: once without a relay, once with one that does not lead.
    let other = harness.another_publisher().await;
    let mut number = 1;
    publish_latency(&harness, &other, number).await;
    for follows in [false, true] {
        let follower = follows.then(|| Harness::start_publisher_on(&other, harness.vhost.url()));
        wait_for("the follower is connected", TIMEOUT, async || match &follower {
            Some(follower) if !follower.is_publishing() => Err("not yet"),
            _ => Ok(()),
        })
        .await
        .unwrap();
        let mut times = Vec::new();
        for _ in 0..TRANSACTIONS {
            number += 1;
            times.push(publish_latency(&harness, &other, number).await);
        }
        let total = times.iter().sum::<Duration>();
        assert!(total < SWEEP_INTERVAL * TRANSACTIONS / 2, "{TRANSACTIONS} events took {total:?}");
        if let Some(follower) = follower {
            follower.shut_down().await;
        }
    }
    harness.wait_for_effects("w", &(1..=number).collect::<Vec<_>>()).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// The relay reopens the connection for notifications; polling covers missed ones.
#[tokio::test]
async fn a_relay_is_notified_again_after_its_connection_broke() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let other = harness.another_publisher().await;
    publish_latency(&harness, &other, 1).await;
    harness.end_database_sessions().await;
    let began = Instant::now();
    let (mut number, mut woken) = (1, false);
    while !woken {
        assert!(began.elapsed() < TIMEOUT, "the relay is not woken");
        let mut total = Duration::ZERO;
        for _ in 0..4 {
            number += 1;
            total += publish_latency(&harness, &other, number).await;
        }
        woken = total < SWEEP_INTERVAL;
    }
    harness.wait_for_effects("w", &(1..=number).collect::<Vec<_>>()).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
