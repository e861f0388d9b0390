//! Killed processes and broken connections lose and duplicate nothing.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use lapin::{
    Channel, Connection, ConnectionProperties,
    options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use messaging::OnReject;
use testkit::{Direction, Proxy, wait_for};
use tokio::{sync::Semaphore, time::Instant};

use crate::harness::{Harness, TIMEOUT, count, wait_for_count};

/// A consumer that acknowledged before its commit would lose its buffered events.
#[tokio::test]
async fn a_consumer_killed_before_its_commit_loses_nothing() {
    let mut harness = Harness::open(OnReject::BlockKey).await;
    let behavior = std::sync::Arc::get_mut(&mut harness.behavior).unwrap();
    behavior.gate = Semaphore::new(0);
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["w"], 1..=5).await;
    wait_for("the consumer has a batch", TIMEOUT, async || {
        match harness.behavior.at_gate.load(Ordering::SeqCst) {
            0 => Err("not yet"),
            _ => Ok(()),
        }
    })
    .await
    .unwrap();
    consumer.kill().await;
    harness.behavior.gate.add_permits(10_000);
    let consumer = harness.start_consumer();
    harness.wait_for_effects("w", &[1, 2, 3, 4, 5]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// A relay that deleted before the confirm would lose events.
#[tokio::test]
async fn an_unconfirmed_event_stays_in_the_outbox() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (proxy, url) = Proxy::in_front_of(harness.vhost.url()).await.unwrap();
    let (publisher, consumer) = (harness.start_publisher_at(&url), harness.start_consumer());
    harness.publish_steps(&["w"], 1..=1).await;
    harness.wait_for_effects("w", &[1]).await;
    // From here on nothing reaches the broker, although the connection is open.
    proxy.blackhole(Direction::ToServer);
    harness.publish_steps(&["w"], 2..=20).await;
    let written = |harness: &Harness| {
        let pool = harness.publisher.pool().clone();
        async move { count(&pool, "messaging.outbox").await }
    };
    assert_eq!(written(&harness).await, 19);
    wait_for("the relay has closed the connection", TIMEOUT, async || {
        let left = written(&harness).await;
        assert_eq!(left, 19, "deleted without a confirm");
        if publisher.is_publishing() { Err("connected") } else { Ok(()) }
    })
    .await
    .unwrap();
    proxy.heal().await;
    harness.wait_for_effects("w", &(1..=20).collect::<Vec<_>>()).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// The interval between steps; short enough that each kill hits busy services.
const INTERVAL: Duration = Duration::from_millis(20);

#[tokio::test]
async fn repeated_kills_lose_and_duplicate_nothing() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let walks: Vec<String> = (0..20).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    let over = AtomicBool::new(false);
    let write = harness.publish_steps_until(&over, INTERVAL, &names);
    let kill = async {
        for round in 0_u64..12 {
            let before = count(harness.consumer.pool(), "effect").await;
            let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
            // Each kill hits another point of the work, every third one after an effect.
            if round.is_multiple_of(3) {
                harness.wait_for_total(before + 1).await;
            }
            tokio::time::sleep(Duration::from_millis(60 + 37 * round)).await;
            publisher.kill().await;
            consumer.kill().await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let (last, ()) = tokio::join!(write, kill);
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.wait_for_total(20 * last).await;
    harness.assert_effects(&walks, last).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn broken_connections_lose_and_duplicate_nothing() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (proxy, url) = Proxy::in_front_of(harness.vhost.url()).await.unwrap();
    let (publisher, consumer) = (harness.start_publisher_at(&url), harness.start_consumer_at(&url));
    let walks: Vec<String> = (0..10).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    for number in 1..=60 {
        // A commit may fail with an unknown result; the loop checks it before it tries again.
        loop {
            let Ok(mut tx) = harness.publisher.begin().await else { continue };
            let published: Option<i64> = sqlx::query_scalar(
                "select last from messaging.sequence where aggregate = 'walk' and key = 'walk-0'",
            )
            .fetch_optional(&mut *tx)
            .await
            .unwrap_or(None);
            if published == Some(number) {
                break;
            }
            for walk in &names {
                tx.emit(&crate::harness::Stepped { walk: (*walk).to_owned(), number }).unwrap();
            }
            if tx.commit().await.is_ok() {
                break;
            }
        }
        if number % 10 == 5 {
            proxy.cut();
        }
        if number % 20 == 10 {
            harness.end_database_sessions().await;
        }
    }
    harness.wait_for_total(10 * 60).await;
    harness.assert_effects(&walks, 60).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// The time from a broken connection to the next effect.
const MAX_RECOVERY: Duration = Duration::from_secs(5);

/// Each cut hits relay and consumers at another point of their work, also while they connect.
#[tokio::test]
async fn cut_connections_are_replaced_within_seconds() {
    let cuts = std::env::var("CUTS").map_or(8, |cuts| cuts.parse().unwrap());
    let harness = Harness::open(OnReject::BlockKey).await;
    let (proxy, url) = Proxy::in_front_of(harness.vhost.url()).await.unwrap();
    let (publisher, consumer) = (harness.start_publisher_at(&url), harness.start_consumer_at(&url));
    let (mut slowest, mut number) = (Duration::ZERO, 0);
    for cut in 0..cuts {
        proxy.cut();
        let began = Instant::now();
        number += 1;
        harness.publish_steps(&["w"], number..=number).await;
        wait_for_count("the step takes effect", harness.consumer.pool(), "effect", number).await;
        let took = began.elapsed();
        assert!(took < MAX_RECOVERY, "no effect for {took:?} after cut {cut}");
        slowest = slowest.max(took);
        tokio::time::sleep(Duration::from_millis(cut % 7)).await;
    }
    println!("{cuts} cuts, the slowest recovery took {slowest:?}");
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// A queue that receives a copy of everything that the publisher publishes.
struct Tap {
    queue: String,
    channel: Channel,
    _connection: Connection,
}

impl Tap {
    async fn open(harness: &Harness) -> Self {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(harness.vhost.url(), properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare("".into(), options, FieldTable::default());
        let queue = declared.await.unwrap().name().to_string();
        let bound = channel.queue_bind(
            queue.as_str().into(),
            "publisher".into(),
            "#".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        bound.await.unwrap();
        Self { queue, channel, _connection: connection }
    }

    /// The sequence numbers of the events published since the last call, in order.
    async fn take(&self) -> Vec<i64> {
        let mut numbers = Vec::new();
        let options = BasicGetOptions { no_ack: true };
        while let Some(message) =
            self.channel.basic_get(self.queue.as_str().into(), options).await.unwrap()
        {
            let events = envelope::decode_batch(&message.delivery.data).unwrap();
            numbers.extend(events.into_iter().map(|event| event.sequence));
        }
        numbers
    }
}

/// The effects alone would not show it, because cursors drop duplicates.
#[tokio::test]
async fn two_relays_of_a_service_publish_each_event_once() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let tap = Tap::open(&harness).await;
    let (first, second, consumer) =
        (harness.start_publisher(), harness.start_publisher(), harness.start_consumer());
    let walk = async |numbers: std::ops::RangeInclusive<i64>| {
        for number in numbers.clone() {
            harness.publish_steps(&["w"], number..=number).await;
        }
        harness.wait_for_effects("w", &(1..=*numbers.end()).collect::<Vec<_>>()).await;
        // A deleted event is not published again by the next leader.
        harness.wait_until_published().await;
        assert_eq!(tap.take().await, numbers.collect::<Vec<_>>(), "each event is published once");
    };
    walk(1..=50).await;
    // The remaining relay takes over if it does not lead yet.
    first.kill().await;
    walk(51..=100).await;
    harness.assert_drained().await;
    second.shut_down().await;
    consumer.shut_down().await;
}
