//! Full-state subscriptions process buffered events in another order; the newest state of a key wins.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use envelope::{Event, Priority, Slot};
use lapin::{Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable};
use messaging::{
    BatchSize, Dispatch, OnReject, Subscription, Topology,
    dead_letters::{self, Selection, redrive},
};
use testkit::wait_for;
use tokio::sync::Semaphore;

use crate::harness::{
    Harness, Rested, Running, Stepped, TIMEOUT, count, repeat_until, wait_for_count,
};

/// A consumer that processes one event at a time in this order.
fn topology(harness: &Harness, dispatch: Dispatch) -> Topology {
    let subscription = Subscription::to_state(Stepped::AGGREGATE, ["publisher"])
        .dispatch(dispatch)
        .batch(BatchSize::Fixed(1))
        .on(harness.record_effects())
        .ignores::<Rested>();
    Topology::new("consumer").subscribes(subscription)
}

const fn priority_classes(normal_per_bulk: u32) -> Dispatch {
    Dispatch::PriorityClasses { normal_per_bulk: NonZeroU32::new(normal_per_bulk).unwrap() }
}

/// Walks of one slot, so that their events keep their order.
fn walks(name: &str, number: usize) -> Vec<String> {
    let all = (0..).map(|walk| format!("{name}-{walk}"));
    all.filter(|walk| Slot::of(walk).number() == 0).take(number).collect()
}

/// The consumer stops at the gate with its first event.
async fn open_gated() -> Harness {
    let mut harness = Harness::open(OnReject::Continue).await;
    Arc::get_mut(&mut harness.behavior).unwrap().gate = Semaphore::new(0);
    harness
}

/// Publishes step `number` of each walk, each in its own transaction.
async fn publish(harness: &Harness, walks: &[String], number: i64, priority: Priority) {
    for walk in walks {
        let mut tx = harness.publisher.begin().await.unwrap();
        tx.set_priority(priority);
        tx.emit(&Stepped { walk: walk.clone(), number }).unwrap();
        tx.commit().await.unwrap();
    }
}

/// Starts the consumer when all events are in its queue, and opens the gate when it has buffered all of them.
async fn start_consumer_with_full_buffer(harness: &Harness, dispatch: Dispatch) -> Running {
    harness.wait_until_published().await;
    let consumer = harness.start_consumer_as(topology(harness, dispatch));
    let connection =
        Connection::connect(harness.vhost.url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    wait_for("all events are buffered and the first is at the gate", TIMEOUT, async || {
        let queue = channel.queue_declare("consumer.walk.0".into(), passive, FieldTable::default());
        let ready = queue.await.unwrap().message_count();
        let at_gate = harness.behavior.at_gate.load(Ordering::SeqCst);
        if (ready, at_gate) == (0, 1) { Ok(()) } else { Err(format!("{ready}, {at_gate}")) }
    })
    .await
    .unwrap();
    harness.behavior.gate.add_permits(1_000_000);
    connection.close(200, "done".into()).await.unwrap();
    consumer
}

/// The walks in the order of their effects.
async fn effect_order(harness: &Harness) -> Vec<String> {
    sqlx::query_scalar("select walk from effect order by place")
        .fetch_all(harness.consumer.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn normal_priority_overtakes_bulk_without_starving_it() {
    let harness = open_gated().await;
    let publisher = harness.start_publisher();
    let (bulk, edits) = (walks("bulk", 30), walks("edit", 6));
    publish(&harness, &bulk, 1, Priority::Bulk).await;
    publish(&harness, &edits, 1, Priority::Normal).await;
    let consumer = start_consumer_with_full_buffer(&harness, priority_classes(2)).await;
    harness.wait_for_total(36).await;
    let order = effect_order(&harness).await;
    let edited: Vec<bool> = order.iter().map(|walk| edits.contains(walk)).collect();
    // Two edits alternate with one bulk event, after the first event at the gate. So six edits are done after at most ten events.
    assert!(!edited[10..].contains(&true), "{order:?}");
    assert!(!edited.windows(3).any(|three| three == [true; 3]), "{order:?}");
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn the_newest_events_come_first_only_under_overload() {
    for (deadline, is_overload) in [(Duration::ZERO, true), (Duration::from_hours(1), false)] {
        let harness = open_gated().await;
        let publisher = harness.start_publisher();
        let walks = walks("walk", 20);
        publish(&harness, &walks, 1, Priority::Normal).await;
        let freshest = Dispatch::FreshestFirst { deadline };
        let consumer = start_consumer_with_full_buffer(&harness, freshest).await;
        harness.wait_for_total(20).await;
        let mut expected = walks.clone();
        if is_overload {
            expected.reverse();
        }
        // The first event at the gate depends on timing.
        let first = effect_order(&harness).await.remove(0);
        let rest = |walks: Vec<String>| walks.into_iter().filter(|walk| *walk != first).collect();
        let (actual, wanted): (Vec<_>, Vec<_>) =
            (rest(effect_order(&harness).await), rest(expected));
        assert_eq!(actual, wanted, "overload: {is_overload}");
        harness.assert_drained().await;
        publisher.shut_down().await;
        consumer.shut_down().await;
    }
}

#[tokio::test]
async fn an_overtaken_event_is_skipped() {
    let harness = open_gated().await;
    let publisher = harness.start_publisher();
    let walks = walks("walk", 1);
    for number in 1..=10 {
        publish(&harness, &walks, number, Priority::Normal).await;
    }
    let freshest = Dispatch::FreshestFirst { deadline: Duration::ZERO };
    let consumer = start_consumer_with_full_buffer(&harness, freshest).await;
    harness.assert_drained().await;
    let effects = harness.effects(&walks[0]).await;
    // One event may have been at the gate before the newest arrived.
    assert!(effects.len() <= 2 && effects.last() == Some(&10), "{effects:?}");
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn an_overtaken_retry_is_skipped() {
    let harness = Harness::open(OnReject::Continue).await;
    let slow = walks("slow", 1);
    harness.behavior.retry.lock().unwrap().insert(slow[0].clone(), u32::MAX);
    let (publisher, consumer) = (
        harness.start_publisher(),
        harness.start_consumer_as(topology(&harness, priority_classes(4))),
    );
    publish(&harness, &slow, 1, Priority::Normal).await;
    wait_for_count("the event waits for its retry", harness.consumer.pool(), "messaging.parked", 1)
        .await;
    consumer.shut_down().await;
    // The newer event is processed first; then the retry is due.
    sqlx::raw_sql("update messaging.parked set next_at = now() + interval '1 hour'")
        .execute(harness.consumer.pool())
        .await
        .unwrap();
    harness.behavior.retry.lock().unwrap().clear();
    let consumer = harness.start_consumer_as(topology(&harness, priority_classes(4)));
    publish(&harness, &slow, 2, Priority::Normal).await;
    harness.wait_for_effects(&slow[0], &[2]).await;
    sqlx::raw_sql("update messaging.parked set next_at = now()")
        .execute(harness.consumer.pool())
        .await
        .unwrap();
    harness.assert_drained().await;
    assert_eq!(harness.effects(&slow[0]).await, [2]);
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_retry_that_was_not_overtaken_takes_effect() {
    let harness = Harness::open(OnReject::Continue).await;
    let slow = walks("slow", 1);
    harness.behavior.retry.lock().unwrap().insert(slow[0].clone(), 3);
    let (publisher, consumer) = (
        harness.start_publisher(),
        harness.start_consumer_as(topology(&harness, priority_classes(4))),
    );
    publish(&harness, &slow, 1, Priority::Normal).await;
    harness.wait_for_effects(&slow[0], &[1]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn an_ignored_event_overtakes_nothing() {
    let harness = open_gated().await;
    let publisher = harness.start_publisher();
    let (gate, walk) = (walks("gate", 1), walks("walk", 1));
    publish(&harness, &gate, 1, Priority::Normal).await;
    publish(&harness, &walk, 1, Priority::Bulk).await;
    let mut tx = harness.publisher.begin().await.unwrap();
    tx.emit(&Rested { walk: walk[0].clone() }).unwrap();
    tx.commit().await.unwrap();
    let consumer = start_consumer_with_full_buffer(&harness, priority_classes(4)).await;
    harness.wait_for_effects(&walk[0], &[1]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn an_overtaken_dead_letter_is_skipped_when_redriven() {
    let harness = Harness::open(OnReject::Continue).await;
    let bad = walks("bad", 2);
    *harness.behavior.reject.lock().unwrap() = bad.clone();
    let topology = topology(&harness, priority_classes(4));
    let (publisher, consumer) =
        (harness.start_publisher(), harness.start_consumer_as(topology.clone()));
    publish(&harness, &bad, 1, Priority::Normal).await;
    let dead_letters = wait_for("both events are dead letters", TIMEOUT, async || {
        let mut connection = harness.consumer.pool().acquire().await.unwrap();
        let dead_letters =
            dead_letters::list(&mut connection, &Selection::default(), true, None, 10)
                .await
                .unwrap();
        if dead_letters.len() == 2 { Ok(dead_letters) } else { Err(format!("{dead_letters:?}")) }
    })
    .await
    .unwrap();
    assert!(dead_letters.iter().all(|dead_letter| !dead_letter.blocks));
    publish(&harness, &bad[..1], 2, Priority::Normal).await;
    harness.wait_for_effects(&bad[0], &[2]).await;
    harness.behavior.reject.lock().unwrap().clear();
    for dead_letter in dead_letters {
        redrive(&harness.consumer, &topology, dead_letter.id).await.unwrap();
    }
    assert_eq!(harness.effects(&bad[0]).await, [2]);
    assert_eq!(harness.effects(&bad[1]).await, [1]);
    publish(&harness, &bad[1..], 2, Priority::Normal).await;
    harness.wait_for_effects(&bad[1], &[1, 2]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// A dead letter is reported when it is stored, not again for each redelivery of its event.
#[tokio::test]
async fn a_redelivered_dead_letter_is_reported_once() {
    let harness = Harness::open(OnReject::Continue).await;
    let bad = walks("bad", 1);
    harness.behavior.reject.lock().unwrap().clone_from(&bad);
    let reports = Arc::new(AtomicU32::new(0));
    let counter = reports.clone();
    let subscription = Subscription::to_state(Stepped::AGGREGATE, ["publisher"])
        .on(harness.record_effects())
        .on_dead_letter(move |_, _, _| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
    let consumer = harness.start_consumer_as(Topology::new("consumer").subscribes(subscription));
    publish(&harness, &bad, 1, Priority::Normal).await;
    harness.copy_outbox().await;
    let publisher = harness.start_publisher();
    harness.assert_drained().await;
    for _ in 0..2 {
        harness.restore_outbox().await;
        harness.assert_drained().await;
    }
    assert_eq!(count(harness.consumer.pool(), "messaging.dead_letter").await, 1);
    assert_eq!(reports.load(Ordering::SeqCst), 1);
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// A consumer that acknowledged the message with its first event would lose the others.
#[tokio::test]
async fn a_message_is_acknowledged_with_its_last_event() {
    let harness = open_gated().await;
    let walks = walks("walk", 5);
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    // One transaction and one slot give one message.
    harness.publish_steps(&names, 1..=1).await;
    let publisher = harness.start_publisher();
    let consumer = harness.start_consumer_as(topology(&harness, priority_classes(4)));
    harness.behavior.gate.add_permits(1);
    wait_for("the first is committed and the second at the gate", TIMEOUT, async || match harness
        .behavior
        .at_gate
        .load(Ordering::SeqCst)
    {
        2 => Ok(()),
        at_gate => Err(at_gate),
    })
    .await
    .unwrap();
    consumer.kill().await;
    harness.behavior.gate.add_permits(1_000_000);
    let consumer = harness.start_consumer_as(topology(&harness, priority_classes(4)));
    harness.wait_for_total(5).await;
    harness.assert_effects(&walks, 1).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// The interval between steps; short enough that each kill hits busy services.
const INTERVAL: Duration = Duration::from_millis(50);

#[tokio::test]
async fn killed_state_consumers_lose_nothing_and_never_go_back() {
    for dispatch in
        [priority_classes(3), Dispatch::FreshestFirst { deadline: Duration::from_millis(50) }]
    {
        let harness = Harness::open(OnReject::Continue).await;
        let walks: Vec<String> = (0..20).map(|walk| format!("walk-{walk}")).collect();
        let topology = || {
            let subscription = Subscription::to_state(Stepped::AGGREGATE, ["publisher"])
                .dispatch(dispatch)
                .on(harness.record_effects());
            Topology::new("consumer").subscribes(subscription)
        };
        let over = AtomicBool::new(false);
        let write = repeat_until(&over, INTERVAL, async |number| {
            let priority = if number % 3 == 0 { Priority::Normal } else { Priority::Bulk };
            publish(&harness, &walks, number, priority).await;
        });
        let kill = async {
            for round in 0_u64..10 {
                let (publisher, consumer) =
                    (harness.start_publisher(), harness.start_consumer_as(topology()));
                // Each kill hits another point of the work.
                let lifetime = Duration::from_millis(60 + 37 * round);
                let _ = tokio::time::timeout(lifetime, std::future::pending::<()>()).await;
                publisher.kill().await;
                consumer.kill().await;
            }
            over.store(true, Ordering::Relaxed);
        };
        let (last, ()) = tokio::join!(write, kill);
        let (publisher, consumer) =
            (harness.start_publisher(), harness.start_consumer_as(topology()));
        harness.assert_drained().await;
        for walk in &walks {
            let effects = harness.effects(walk).await;
            assert!(effects.is_sorted_by(|before, after| before < after), "{walk}: {effects:?}");
            assert_eq!(effects.last(), Some(&last), "{walk}");
        }
        publisher.shut_down().await;
        consumer.shut_down().await;
    }
}
