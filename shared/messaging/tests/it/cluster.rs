//! A cluster of three brokers loses one node after the other; no event is lost, duplicated or reordered.
//!
//! Like in a service, several threads run the tasks: the AMQP client has a thread of its own, and may wait for one of them.

#![expect(clippy::print_stdout, reason = "the output shows the recovery time")]

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use messaging::OnReject;
use testkit::{RabbitMqCluster, wait_for};

use crate::harness::Harness;

/// RabbitMQ 3.10 loses messages of younger queues when a node is killed.
const MIN_QUEUE_AGE: Duration = Duration::from_secs(40);

/// The interval between steps; long enough for a busy machine, so that only the brokers cause delays.
const INTERVAL: Duration = Duration::from_millis(40);

/// Normally two to three seconds; on a busy machine additionally one confirm timeout of the relay.
const MAX_RECOVERY: Duration = Duration::from_secs(25);

/// The time from publishing an event to its effect.
async fn latency(harness: &Harness, probe: &str) -> Duration {
    let began = Instant::now();
    harness.publish_steps(&[probe], 1..=1).await;
    harness.wait_for_effects(probe, &[1]).await;
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_survives_the_loss_of_a_node() {
    let mut cluster = RabbitMqCluster::start().await.unwrap();
    let harness = Harness::open_on(cluster.create_vhost().await.unwrap(), OnReject::BlockKey).await;
    let created = Instant::now();
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let walks: Vec<String> = (0..20).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    wait_for("the queues are old enough", MIN_QUEUE_AGE * 2, async || {
        if created.elapsed() > MIN_QUEUE_AGE {
            Ok(())
        } else {
            Err(format!("{:?}", created.elapsed()))
        }
    })
    .await
    .unwrap();
    let over = AtomicBool::new(false);
    let write = harness.publish_steps_until(&over, INTERVAL, &names);
    let kill = async {
        // Clients use the first reachable node and switch to the next when it is down.
        for node in [0, 1] {
            println!("healthy: {:?}", latency(&harness, &format!("before-{node}")).await);
            cluster.kill(node).await.unwrap();
            let recovery = latency(&harness, &format!("during-{node}")).await;
            println!("node {node} killed: the next event took effect after {recovery:?}");
            assert!(recovery < MAX_RECOVERY, "{recovery:?}");
            cluster.restart(node).await.unwrap();
        }
        over.store(true, Ordering::Relaxed);
    };
    let (last, ()) = tokio::join!(write, kill);
    println!("{} events in all", last * 20 + 4);
    harness.wait_for_total(last * 20 + 4).await;
    harness.assert_effects(&walks, last).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
