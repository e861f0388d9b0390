//! Events of a type that the program does not know wait for a version that knows it; nothing is lost, and the order stays.

use envelope::{Event, FullState, Slot};
use messaging::{
    OnReject, Subscription, Topology,
    dead_letters::{self, DeadLetter, ResolveError, Selection, discard, redrive},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use testkit::wait_for;

use crate::{
    event_versions::{RecordEffects, SteppedV2, new_program, old_program, record_width},
    harness::{Harness, Stepped, TIMEOUT, count, wait_for_count},
};

const UNKNOWN: &str = "messaging.parked where why = 'unknown_type'";

/// Publishes these steps of a walk, each in the first version or the second.
async fn publish(harness: &Harness, walk: &str, steps: &[(i64, bool)]) {
    let mut tx = harness.publisher.begin().await.unwrap();
    for (number, is_new) in steps.iter().copied() {
        let walk = walk.to_owned();
        if is_new {
            tx.emit(&SteppedV2 { walk, number, width: 10 }).unwrap();
        } else {
            tx.emit(&Stepped { walk, number }).unwrap();
        }
    }
    tx.commit().await.unwrap();
}

async fn pending(harness: &Harness) -> Vec<DeadLetter> {
    let mut connection = harness.consumer.pool().acquire().await.unwrap();
    dead_letters::list(&mut connection, &Selection::default(), true, None, 100).await.unwrap()
}

async fn wait_for_pending(harness: &Harness, expected: usize) -> Vec<DeadLetter> {
    wait_for("the dead letters exist", TIMEOUT, async || {
        let letters = pending(harness).await;
        if letters.len() == expected { Ok(letters) } else { Err(format!("{letters:?}")) }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn an_unknown_type_waits_for_a_program_that_knows_it() {
    // The consumer runs on the thread of the test.
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, old) = (harness.start_publisher(), harness.start_consumer_as(old_program()));
    publish(&harness, "mixed", &[(1, false), (2, true), (3, false), (4, true)]).await;
    publish(&harness, "plain", &[(1, false), (2, false)]).await;
    // Only the key with the unknown type waits, and operators see why.
    harness.wait_for_effects("plain", &[1, 2]).await;
    harness.wait_for_effects("mixed", &[1]).await;
    let letter = wait_for_pending(&harness, 1).await.remove(0);
    let found = (letter.reason.as_str(), letter.kind.as_deref(), letter.sequence);
    assert_eq!(found, ("unknown_type", Some("walk.stepped.v2"), Some(2)));
    assert_eq!(letter.routing_key, Some(format!("walk.{}", Slot::of("mixed").number())));
    // Without a handler, a redrive would lose the event.
    let refused = redrive(&harness.consumer, &old_program(), letter.id).await;
    assert!(
        matches!(&refused, Err(ResolveError::FailedAgain(causes)) if causes[0].contains("walk.stepped.v2")),
        "{refused:?}"
    );
    // Events that arrive later wait as well, also when the program starts again.
    old.shut_down().await;
    let old = harness.start_consumer_as(old_program());
    publish(&harness, "mixed", &[(5, false)]).await;
    wait_for_count("all wait", harness.consumer.pool(), "messaging.parked", 4).await;
    harness.vhost.wait_until_drained(TIMEOUT).await.unwrap();
    assert_eq!(harness.effects("mixed").await, [1]);
    old.shut_down().await;
    let text = recorder.handle().render();
    for line in [
        "messaging_dead_letters_total{reason=\"unknown_type\"} 1",
        "messaging_events_consumed_total{consumer=\"consumer.walk\",outcome=\"unknown_type\"} 1",
    ] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }

    let new = harness.start_consumer_as(new_program());
    harness.wait_for_effects("mixed", &[1, 20, 3, 40, 5]).await;
    harness.assert_drained().await;
    assert_eq!(pending(&harness).await.len(), 0);
    let resolved = "messaging.dead_letter where state = 'redriven' and resolved_at is not null";
    assert_eq!(count(harness.consumer.pool(), resolved).await, 1);
    // The next events are not held up.
    publish(&harness, "mixed", &[(6, true)]).await;
    harness.wait_for_effects("mixed", &[1, 20, 3, 40, 5, 60]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    new.shut_down().await;
}

/// The subscriber is rolled back while new events arrive, runs beside the new version, and is rolled forward.
#[tokio::test]
async fn a_rollback_of_the_subscriber_loses_nothing() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let walks: Vec<String> = (0..12).map(|walk| format!("walk-{walk}")).collect();
    let publish_all = async |numbers: std::ops::RangeInclusive<i64>| {
        for number in numbers {
            for walk in &walks {
                publish(&harness, walk, &[(number, number % 3 == 0)]).await;
            }
        }
    };
    let publisher = harness.start_publisher();
    let new = harness.start_consumer_as(new_program());
    publish_all(1..=4).await;
    let old = harness.start_consumer_as(old_program());
    publish_all(5..=8).await;
    new.shut_down().await;
    publish_all(9..=12).await;
    wait_for_count("every walk waits", harness.consumer.pool(), UNKNOWN, 12).await;
    // The new version takes over queues of the old one, which parks events of the others until it stops.
    let new = harness.start_consumer_as(new_program());
    publish_all(13..=16).await;
    old.shut_down().await;
    publish_all(17..=18).await;
    harness.wait_for_total(18 * 12).await;
    let expected: Vec<i64> =
        (1..=18).map(|number| if number % 3 == 0 { number * 10 } else { number }).collect();
    for walk in &walks {
        assert_eq!(harness.effects(walk).await, expected, "{walk}");
    }
    harness.assert_drained().await;
    assert_eq!(pending(&harness).await.len(), 0);
    publisher.shut_down().await;
    new.shut_down().await;
}

fn of_state<E: Event + FullState>(handler: impl messaging::Handler<Event = E>) -> Subscription {
    Subscription::to_state(Stepped::AGGREGATE, ["publisher"]).on(RecordEffects).on(handler).into()
}

/// A newer state overtakes one of an unknown type. If that is the newest, it takes effect as soon as a program knows it.
#[tokio::test]
async fn full_state_of_an_unknown_type_is_not_lost() {
    let harness = Harness::open(OnReject::Continue).await;
    let old = Subscription::to_state(Stepped::AGGREGATE, ["publisher"]).on(RecordEffects);
    let old = Topology::new("consumer").subscribes(old);
    let new = Topology::new("consumer").subscribes(of_state(record_width()));
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer_as(old));
    publish(&harness, "newest", &[(1, false)]).await;
    harness.wait_for_effects("newest", &[1]).await;
    publish(&harness, "newest", &[(2, true)]).await;
    publish(&harness, "overtaken", &[(1, true)]).await;
    wait_for_pending(&harness, 2).await;
    publish(&harness, "overtaken", &[(2, false)]).await;
    harness.wait_for_effects("overtaken", &[2]).await;
    assert_eq!(count(harness.consumer.pool(), UNKNOWN).await, 2);
    consumer.shut_down().await;

    let consumer = harness.start_consumer_as(new);
    harness.wait_for_effects("newest", &[1, 20]).await;
    harness.assert_drained().await;
    assert_eq!(harness.effects("overtaken").await, [2]);
    assert_eq!(pending(&harness).await.len(), 0);
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn an_event_of_an_unknown_type_can_be_discarded() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, old) = (harness.start_publisher(), harness.start_consumer_as(old_program()));
    publish(&harness, "mixed", &[(1, false), (2, true), (3, false)]).await;
    let letter = wait_for_pending(&harness, 1).await.remove(0);
    discard(&harness.consumer, letter.id).await.unwrap();
    harness.wait_for_effects("mixed", &[1, 3]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    old.shut_down().await;
}
