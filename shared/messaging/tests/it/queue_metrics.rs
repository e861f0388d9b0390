//! Queue metrics agree with the contents of the queues.

use envelope::Event as _;
use messaging::{BatchSize, OnReject, Subscription, Topology};
use testkit::wait_for;

use crate::harness::{Harness, Stepped, TIMEOUT};

const WALKS: i64 = 100;

/// Steps in flight; more than the consumers prefetch, so that a queue builds up in the broker.
const IN_FLIGHT: i64 = 4_000;

/// Over which the law must hold.
const WINDOW_SECONDS: f64 = 10.0;

async fn done(harness: &Harness) -> i64 {
    sqlx::query_scalar("select coalesce(max(place), 0) from effect")
        .fetch_one(harness.consumer.pool())
        .await
        .unwrap()
}

/// Waiting times are measured, the queue length comes from the broker, and the handled events are counted, so their agreement is not
/// trivial. Arrivals are computed as handled events plus growth of the queue.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_a_standing_queue_obey_littles_law() {
    let harness = Harness::open(OnReject::BlockKey).await;
    // Small batches make the consumer slower than the relay, so that a queue builds up.
    let subscription = Subscription::to(Stepped::AGGREGATE, ["publisher"], OnReject::BlockKey)
        .batch(BatchSize::Fixed(16))
        .on(harness.record_effects());
    let (publisher, consumer) = (
        harness.start_publisher(),
        harness.start_consumer_as(Topology::new("consumer").subscribes(subscription)),
    );
    let walks: Vec<String> = (0..WALKS).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    let load = async {
        let mut steps = 0;
        loop {
            if steps * WALKS - done(&harness).await < IN_FLIGHT {
                steps += 1;
                harness.publish_steps(&names, steps..=steps).await;
            }
            let metrics = harness.consumer.queue_report().queues;
            if metrics.len() == 2
                && metrics.iter().all(|queue| queue.window_s >= 2.0 * WINDOW_SECONDS)
            {
                return (steps, metrics, harness.publisher.queue_report().outbox);
            }
        }
    };
    let (steps, queues, outbox) = tokio::time::timeout(TIMEOUT * 3, load).await.unwrap();
    for queue in &queues {
        assert!(queue.in_queue.unwrap() > 200.0, "no queue: {queue:?}");
        assert!(queue.wait_ms.unwrap() > 0.0 && queue.service_ms.unwrap() > 0.0, "{queue:?}");
        assert!(queue.age_ms.unwrap() >= queue.wait_ms.unwrap(), "{queue:?}");
        let ratio = queue.little_ratio.unwrap();
        assert!((0.7..=1.4).contains(&ratio), "{queue:?}");
        assert_eq!(queue.consumers, Some(1));
        // The only consumer is always busy.
        assert!(queue.utilisation.unwrap() > 0.5, "{queue:?}");
        assert!(queue.consumers_needed.unwrap() >= 1, "{queue:?}");
    }
    let received: f64 = queues.iter().map(|queue| queue.arrivals_per_s).sum();
    let published = outbox.unwrap().arrivals_per_s;
    assert!(
        (0.8..=1.25).contains(&(received / published)),
        "{published}/s published, {received}/s received"
    );
    harness.wait_for_total(steps * WALKS).await;
    harness.assert_effects(&walks, steps).await;
    harness.assert_drained().await;
    wait_for("the metrics show empty queues", TIMEOUT * 2, async || {
        let queues = harness.consumer.queue_report().queues;
        let empty = queues.iter().all(|queue| queue.in_queue_now.is_some_and(|now| now < 1.0));
        if empty { Ok(()) } else { Err(format!("{queues:?}")) }
    })
    .await
    .unwrap();
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// The queue length comes from the broker, so it needs no consumer.
#[tokio::test]
async fn metrics_show_a_growing_queue_without_a_consumer() {
    let mut harness = Harness::open(OnReject::BlockKey).await;
    let behavior = std::sync::Arc::get_mut(&mut harness.behavior).unwrap();
    behavior.gate = tokio::sync::Semaphore::new(0);
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let walks: Vec<String> = (0..50).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    let mut steps = 0;
    let growing = async {
        loop {
            steps += 1;
            harness.publish_steps(&names, steps..=steps).await;
            let queues = harness.consumer.queue_report().queues;
            let grows = |queue: &messaging::QueueMetrics| {
                queue.arrivals_per_s > 0.0 && queue.in_queue_now.is_some_and(|now| now > 100.0)
            };
            if queues.len() == 2 && queues.iter().all(grows) {
                return queues;
            }
        }
    };
    let queues = tokio::time::timeout(TIMEOUT, growing).await.unwrap();
    assert!(queues.iter().all(|queue| queue.wait_ms.is_none() && queue.little_ratio.is_none()));
    harness.behavior.gate.add_permits(10_000);
    harness.wait_for_total(steps * 50).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
