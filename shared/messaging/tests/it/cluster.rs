//! A cluster of three brokers loses one of them after the other, and nothing is lost, doubled or out of order.

#![expect(
    clippy::print_stdout,
    reason = "how long a takeover took is of interest to who reads the test's output"
)]

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use messaging::OnReject;
use testkit::{RabbitMqCluster, wait_for};

use crate::shop::Shop;

/// How old the queues are before a node is killed: RabbitMQ 3.10 loses what younger ones hold.
const OLD_ENOUGH: Duration = Duration::from_secs(40);

/// How often a step of each walk is said: what a busy machine carries with ease, so that nothing waits but for the brokers.
const PACE: Duration = Duration::from_millis(40);

/// How long it may take until what is said takes effect again: two or three seconds, and on a busy machine once the time after
/// which the relay gives up waiting for confirms.
const RECOVERY: Duration = Duration::from_secs(25);

/// How long until an event that is said now takes effect.
async fn latency(shop: &Shop, probe: &str) -> Duration {
    let said = Instant::now();
    shop.walk(&[probe], 1..=1).await;
    shop.wait_for_effects(probe, &[1]).await;
    said.elapsed()
}

#[tokio::test]
async fn a_cluster_that_loses_a_node_goes_on() {
    let mut cluster = RabbitMqCluster::start().await.unwrap();
    let shop = Shop::open_on(cluster.create_vhost().await.unwrap(), OnReject::BlockKey).await;
    let born = Instant::now();
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    let walks: Vec<String> = (0..20).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    let over = AtomicBool::new(false);
    let write = shop.walk_until(&over, PACE, &names);
    let kill = async {
        wait_for("the queues are old enough", OLD_ENOUGH * 2, async || {
            if born.elapsed() > OLD_ENOUGH { Ok(()) } else { Err(format!("{:?}", born.elapsed())) }
        })
        .await
        .unwrap();
        // Everybody is connected to the first node that answers, and goes on to the next when it is gone.
        for node in [0, 1] {
            println!("healthy: {:?}", latency(&shop, &format!("before-{node}")).await);
            cluster.kill(node).await.unwrap();
            let recovery = latency(&shop, &format!("during-{node}")).await;
            println!("node {node} killed: the next event took effect after {recovery:?}");
            assert!(recovery < RECOVERY, "{recovery:?}");
            cluster.restart(node).await.unwrap();
        }
        over.store(true, Ordering::Relaxed);
    };
    let (last, ()) = tokio::join!(write, kill);
    println!("{} events in all", last * 20 + 4);
    shop.wait_for_total(last * 20 + 4).await;
    shop.assert_walked(&walks, last).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}
