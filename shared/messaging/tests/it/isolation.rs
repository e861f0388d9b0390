//! A broken queue stops only its own events.
//!
//! Like in a service, several threads run the tasks: the AMQP client has a thread of its own, and may wait for one of them.

use std::time::{Duration, Instant};

use envelope::Slot;
use messaging::{DEFAULT_SLOT_GROUPS, OnReject};
use testkit::{RabbitMq, RabbitMqCluster, Vhost, wait_for};

use crate::harness::{Harness, TIMEOUT};

/// The queue that fails in these tests.
const BROKEN_QUEUE: &str = "consumer.walk.0";

/// The longest time in which a healthy queue gets its events once the broken one is isolated. On a busy machine.
const MAX_LATENCY: Duration = Duration::from_secs(5);

/// Walks of the broken queue and walks of the healthy one, one per slot.
fn walks() -> (Vec<String>, Vec<String>) {
    let mut by_slot: Vec<Option<String>> = vec![None; 16];
    for number in 0.. {
        let name = format!("walk-{number}");
        by_slot[usize::from(Slot::of(&name).number())].get_or_insert(name);
        if by_slot.iter().all(Option::is_some) {
            break;
        }
    }
    let is_broken = |name: &String| Slot::of(name).number().is_multiple_of(DEFAULT_SLOT_GROUPS);
    by_slot.into_iter().flatten().partition(is_broken)
}

fn names(walks: &[String]) -> Vec<&str> {
    walks.iter().map(String::as_str).collect()
}

/// Publishes steps of all walks while `BROKEN_QUEUE` confirms nothing: only its own events wait.
async fn assert_isolated(harness: &Harness, is_suspended: impl Fn() -> Vec<String>) {
    let (broken, healthy) = walks();
    // More messages than the broker accepts for a queue before it stops reading from the connection.
    for number in 2..=60 {
        harness.publish_steps(&names(&broken), number..=number).await;
        harness.publish_steps(&names(&healthy), number..=number).await;
    }
    let all: Vec<i64> = (1..=60).collect();
    for walk in &healthy {
        harness.wait_for_effects(walk, &all).await;
    }
    wait_for("the partitions of the broken queue are suspended", TIMEOUT, async || {
        let suspended = is_suspended();
        if suspended.len() == broken.len() { Ok(()) } else { Err(format!("{suspended:?}")) }
    })
    .await
    .unwrap();
    let began = Instant::now();
    harness.publish_steps(&names(&healthy), 61..=61).await;
    for walk in &healthy {
        harness.wait_for_effects(walk, &(1..=61).collect::<Vec<_>>()).await;
    }
    assert!(began.elapsed() < MAX_LATENCY, "{:?}", began.elapsed());
    for walk in &broken {
        assert_eq!(harness.effects(walk).await, [1], "{walk}");
    }
}

/// Asserts that all events take effect after the queue works again.
async fn assert_healed(harness: &Harness) {
    let (broken, healthy) = walks();
    // The publisher probes a suspended partition every ten seconds, so this takes longer than other waits.
    let walks = i64::try_from(broken.len() + healthy.len()).unwrap();
    harness.wait_for_total(walks * 60).await;
    for walk in &broken {
        harness.wait_for_effects(walk, &(1..=60).collect::<Vec<_>>()).await;
    }
    harness.assert_drained().await;
}

/// One dead queue used to stop all events of a service, and its reconnects made the relay seem healthy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_does_not_confirm_stops_only_its_events() {
    let server = RabbitMq::start().await.unwrap();
    let vhost = Vhost::create_in(&server).await.unwrap();
    let harness = Harness::open_on(vhost, OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let (broken, healthy) = walks();
    harness.publish_steps(&names(&[broken, healthy].concat()), 1..=1).await;
    harness.wait_for_total(16).await;
    server.set_queue_suspended(harness.vhost.name(), BROKEN_QUEUE, true).await.unwrap();
    assert_isolated(&harness, || publisher.status().suspended).await;
    assert!(publisher.is_publishing());
    // A consumer that starts now must still consume the healthy queue.
    consumer.kill().await;
    let consumer = harness.start_consumer();
    let (_, healthy) = walks();
    harness.publish_steps(&names(&healthy), 62..=62).await;
    for walk in &healthy {
        harness.wait_for_effects(walk, &(1..=62).collect::<Vec<_>>()).await;
    }
    server.set_queue_suspended(harness.vhost.name(), BROKEN_QUEUE, false).await.unwrap();
    assert_healed(&harness).await;
    assert_eq!(publisher.status().suspended, [""; 0]);
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// A queue with two members has no majority without one of them. The others have their only member on the node that lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_without_a_majority_stops_only_its_events() {
    let mut cluster = RabbitMqCluster::start().await.unwrap();
    let harness = Harness::open_on(cluster.create_vhost().await.unwrap(), OnReject::BlockKey).await;
    for queue in harness.vhost.queues().await.unwrap() {
        let removed = if queue.name == BROKEN_QUEUE { 2..3 } else { 1..3 };
        for node in removed {
            cluster.remove_member(harness.vhost.name(), &queue.name, node).await.unwrap();
        }
    }
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let (broken, healthy) = walks();
    harness.publish_steps(&names(&[broken, healthy].concat()), 1..=1).await;
    harness.wait_for_total(16).await;
    cluster.kill(1).await.unwrap();
    assert_isolated(&harness, || publisher.status().suspended).await;
    cluster.start_again(1).await.unwrap();
    assert_healed(&harness).await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
