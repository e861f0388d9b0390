//! What is said of queues agrees with what is in them.

use envelope::Event as _;
use messaging::{BatchSize, OnReject, Subscription, Topology};
use testkit::wait_for;

use crate::shop::{SOON, Shop, Stepped};

/// How many walks take a step together.
const WALKS: i64 = 100;

/// How many steps are under way: more than the consumers hold in hand, so that a queue stands in the broker.
const UNDER_WAY: i64 = 4_000;

/// Over how many seconds the law must hold.
const LONG: f64 = 10.0;

async fn done(shop: &Shop) -> i64 {
    sqlx::query_scalar("select coalesce(max(place), 0) from effect")
        .fetch_one(shop.listener.pool())
        .await
        .unwrap()
}

/// Times are clocked, the broker is asked how many there are, and what was handled is counted: that does not agree by itself. Arrivals
/// are what was handled and the growth of what there is, so while the queue stands they are a count.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_stands_obeys_littles_law() {
    let shop = Shop::open(OnReject::BlockKey).await;
    // So few events a transaction that the relay is the faster one: else hardly anything stands in the broker.
    let subscription = Subscription::to(Stepped::AGGREGATE, ["speaker"], OnReject::BlockKey)
        .batch(BatchSize::Fixed(16))
        .on(shop.write_down());
    let (speaker, listener) = (
        shop.start_speaker(),
        shop.start_listener_as(Topology::of("listener").hears(subscription)),
    );
    let walks: Vec<String> = (0..WALKS).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    let load = async {
        let mut steps = 0;
        loop {
            if steps * WALKS - done(&shop).await < UNDER_WAY {
                steps += 1;
                shop.walk(&names, steps..=steps).await;
            }
            let figures = shop.listener.queues().queues;
            if figures.len() == 2 && figures.iter().all(|queue| queue.window_s >= 2.0 * LONG) {
                return (steps, figures, shop.speaker.queues().outbox);
            }
        }
    };
    let (steps, queues, outbox) = tokio::time::timeout(SOON * 3, load).await.unwrap();
    for queue in &queues {
        assert!(queue.in_queue.unwrap() > 200.0, "no queue stands: {queue:?}");
        assert!(queue.wait_ms.unwrap() > 0.0 && queue.service_ms.unwrap() > 0.0, "{queue:?}");
        assert!(queue.age_ms.unwrap() >= queue.wait_ms.unwrap(), "{queue:?}");
        let ratio = queue.little_ratio.unwrap();
        assert!((0.7..=1.4).contains(&ratio), "{queue:?}");
        assert_eq!(queue.consumers, Some(1));
        // The one there is is always busy.
        assert!(queue.utilisation.unwrap() > 0.5, "{queue:?}");
        assert!(queue.consumers_needed.unwrap() >= 1, "{queue:?}");
    }
    let said: f64 = queues.iter().map(|queue| queue.arrivals_per_s).sum();
    let left = outbox.unwrap().arrivals_per_s;
    assert!((0.8..=1.25).contains(&(said / left)), "{left}/s into the outbox, {said}/s heard");
    shop.wait_for_total(steps * WALKS).await;
    shop.assert_walked(&walks, steps).await;
    shop.assert_at_rest().await;
    wait_for("the queues are seen empty", SOON * 2, async || {
        let queues = shop.listener.queues().queues;
        let empty = queues.iter().all(|queue| queue.in_queue_now.is_some_and(|now| now < 1.0));
        if empty { Ok(()) } else { Err(format!("{queues:?}")) }
    })
    .await
    .unwrap();
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// Nobody consumes, and it is seen all the same.
#[tokio::test]
async fn a_queue_that_nobody_works_on_is_seen_to_grow() {
    let mut shop = Shop::open(OnReject::BlockKey).await;
    let mood = std::sync::Arc::get_mut(&mut shop.mood).unwrap();
    mood.gate = tokio::sync::Semaphore::new(0);
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    let walks: Vec<String> = (0..50).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    let mut steps = 0;
    let growing = async {
        loop {
            steps += 1;
            shop.walk(&names, steps..=steps).await;
            let queues = shop.listener.queues().queues;
            let grows = |queue: &messaging::QueueFigures| {
                queue.arrivals_per_s > 0.0 && queue.in_queue_now.is_some_and(|now| now > 100.0)
            };
            if queues.len() == 2 && queues.iter().all(grows) {
                return queues;
            }
        }
    };
    let queues = tokio::time::timeout(SOON, growing).await.unwrap();
    assert!(queues.iter().all(|queue| queue.wait_ms.is_none() && queue.little_ratio.is_none()));
    shop.mood.gate.add_permits(10_000);
    shop.wait_for_total(steps * 50).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}
