//! Subscriptions of full state take what is in hand in another order, and the newest of a key stands in the end.

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

use crate::shop::{Rested, Running, SOON, Shop, Stepped, count, repeat_until, wait_for_count};

/// A listener that takes one event at a time in this order.
fn topology(shop: &Shop, dispatch: Dispatch) -> Topology {
    let subscription = Subscription::to_state(Stepped::AGGREGATE, ["speaker"])
        .dispatch(dispatch)
        .batch(BatchSize::Fixed(1))
        .on(shop.write_down());
    Topology::of("listener").hears(subscription)
}

const fn lanes(normal_per_bulk: u32) -> Dispatch {
    Dispatch::PriorityClasses { normal_per_bulk: NonZeroU32::new(normal_per_bulk).unwrap() }
}

/// So many walks of one slot, so that they travel in the order in which they are said.
fn walks(name: &str, number: usize) -> Vec<String> {
    let all = (0..).map(|walk| format!("{name}-{walk}"));
    all.filter(|walk| Slot::of(walk).number() == 0).take(number).collect()
}

/// A shop whose listener comes to its gate with the first event and goes on when it is let.
async fn open_gated() -> Shop {
    let mut shop = Shop::open(OnReject::GoOn).await;
    Arc::get_mut(&mut shop.mood).unwrap().gate = Semaphore::new(0);
    shop
}

/// Step `number` of each walk, in a transaction of its own.
async fn say(shop: &Shop, walks: &[String], number: i64, priority: Priority) {
    for walk in walks {
        let mut tx = shop.speaker.begin().await.unwrap();
        tx.prioritise(priority);
        tx.emit(&Stepped { walk: walk.clone(), number }).unwrap();
        tx.commit().await.unwrap();
    }
}

/// Starts the listener when all that was said waits in its queue, and opens the gate when it has all of it in hand.
async fn listen_with_all_in_hand(shop: &Shop, dispatch: Dispatch) -> Running {
    shop.wait_until_all_is_published().await;
    let listener = shop.start_listener_as(topology(shop, dispatch));
    let connection =
        Connection::connect(shop.vhost.url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    wait_for("all is in hand and the first at the gate", SOON, async || {
        let queue = channel.queue_declare("listener.walk.0".into(), passive, FieldTable::default());
        let ready = queue.await.unwrap().message_count();
        let at_gate = shop.mood.at_gate.load(Ordering::SeqCst);
        if (ready, at_gate) == (0, 1) { Ok(()) } else { Err(format!("{ready}, {at_gate}")) }
    })
    .await
    .unwrap();
    shop.mood.gate.add_permits(1_000_000);
    connection.close(200, "done".into()).await.unwrap();
    listener
}

/// The walks in the order of all effects.
async fn order(shop: &Shop) -> Vec<String> {
    sqlx::query_scalar("select walk from effect order by place")
        .fetch_all(shop.listener.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn an_edit_overtakes_bulk_work_in_hand_and_bulk_work_gets_its_share() {
    let shop = open_gated().await;
    let speaker = shop.start_speaker();
    let (bulk, edits) = (walks("bulk", 30), walks("edit", 6));
    say(&shop, &bulk, 1, Priority::Bulk).await;
    say(&shop, &edits, 1, Priority::Normal).await;
    let listener = listen_with_all_in_hand(&shop, lanes(2)).await;
    shop.wait_for_total(36).await;
    let order = order(&shop).await;
    let edited: Vec<bool> = order.iter().map(|walk| edits.contains(walk)).collect();
    // Two edits, one of bulk work, and so on, behind whatever was at the gate first: six edits are done after at most ten.
    assert!(!edited[10..].contains(&true), "{order:?}");
    assert!(!edited.windows(3).any(|three| three == [true; 3]), "{order:?}");
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn under_overload_the_freshest_come_first_and_else_they_do_not() {
    for (deadline, is_overload) in [(Duration::ZERO, true), (Duration::from_hours(1), false)] {
        let shop = open_gated().await;
        let speaker = shop.start_speaker();
        let walks = walks("walk", 20);
        say(&shop, &walks, 1, Priority::Normal).await;
        let freshest = Dispatch::FreshestFirst { deadline };
        let listener = listen_with_all_in_hand(&shop, freshest).await;
        shop.wait_for_total(20).await;
        let mut expected = walks.clone();
        if is_overload {
            expected.reverse();
        }
        // Which one was at the gate is a matter of what had come when it was taken.
        let first = order(&shop).await.remove(0);
        let rest = |walks: Vec<String>| walks.into_iter().filter(|walk| *walk != first).collect();
        let (is, wanted): (Vec<_>, Vec<_>) = (rest(order(&shop).await), rest(expected));
        assert_eq!(is, wanted, "overload: {is_overload}");
        shop.assert_at_rest().await;
        speaker.shut_down().await;
        listener.shut_down().await;
    }
}

#[tokio::test]
async fn what_has_been_overtaken_is_skipped() {
    let shop = open_gated().await;
    let speaker = shop.start_speaker();
    let walks = walks("walk", 1);
    for number in 1..=10 {
        say(&shop, &walks, number, Priority::Normal).await;
    }
    let freshest = Dispatch::FreshestFirst { deadline: Duration::ZERO };
    let listener = listen_with_all_in_hand(&shop, freshest).await;
    shop.assert_at_rest().await;
    let effects = shop.effects(&walks[0]).await;
    // One was at the gate when the newest had not come yet.
    assert!(effects.len() <= 2 && effects.last() == Some(&10), "{effects:?}");
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_retry_holds_back_nothing_and_is_skipped_when_it_was_overtaken() {
    let shop = Shop::open(OnReject::GoOn).await;
    let slow = walks("slow", 1);
    shop.mood.retry.lock().unwrap().insert(slow[0].clone(), u32::MAX);
    let (speaker, listener) =
        (shop.start_speaker(), shop.start_listener_as(topology(&shop, lanes(4))));
    say(&shop, &slow, 1, Priority::Normal).await;
    wait_for_count("it waits for its retry", shop.listener.pool(), "messaging.parked", 1).await;
    listener.shut_down().await;
    // The newer one comes before its time has come; then it has.
    sqlx::raw_sql("update messaging.parked set next_at = now() + interval '1 hour'")
        .execute(shop.listener.pool())
        .await
        .unwrap();
    shop.mood.retry.lock().unwrap().clear();
    let listener = shop.start_listener_as(topology(&shop, lanes(4)));
    say(&shop, &slow, 2, Priority::Normal).await;
    shop.wait_for_effects(&slow[0], &[2]).await;
    sqlx::raw_sql("update messaging.parked set next_at = now()")
        .execute(shop.listener.pool())
        .await
        .unwrap();
    shop.assert_at_rest().await;
    assert_eq!(shop.effects(&slow[0]).await, [2]);
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_retry_that_was_not_overtaken_takes_effect() {
    let shop = Shop::open(OnReject::GoOn).await;
    let slow = walks("slow", 1);
    shop.mood.retry.lock().unwrap().insert(slow[0].clone(), 3);
    let (speaker, listener) =
        (shop.start_speaker(), shop.start_listener_as(topology(&shop, lanes(4))));
    say(&shop, &slow, 1, Priority::Normal).await;
    shop.wait_for_effects(&slow[0], &[1]).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn an_unhandled_event_makes_nothing_stale() {
    let shop = open_gated().await;
    let speaker = shop.start_speaker();
    let (gate, walk) = (walks("gate", 1), walks("walk", 1));
    say(&shop, &gate, 1, Priority::Normal).await;
    say(&shop, &walk, 1, Priority::Bulk).await;
    let mut tx = shop.speaker.begin().await.unwrap();
    tx.emit(&Rested { walk: walk[0].clone() }).unwrap();
    tx.commit().await.unwrap();
    let listener = listen_with_all_in_hand(&shop, lanes(4)).await;
    shop.wait_for_effects(&walk[0], &[1]).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_dead_letter_takes_effect_late_unless_something_newer_has() {
    let shop = Shop::open(OnReject::GoOn).await;
    let bad = walks("bad", 2);
    *shop.mood.reject.lock().unwrap() = bad.clone();
    let heard = topology(&shop, lanes(4));
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener_as(heard.clone()));
    say(&shop, &bad, 1, Priority::Normal).await;
    let letters = wait_for("both are dead letters", SOON, async || {
        let mut connection = shop.listener.pool().acquire().await.unwrap();
        let letters = dead_letters::list(&mut connection, &Selection::default(), true, None, 10)
            .await
            .unwrap();
        if letters.len() == 2 { Ok(letters) } else { Err(format!("{letters:?}")) }
    })
    .await
    .unwrap();
    assert!(letters.iter().all(|letter| !letter.blocks));
    say(&shop, &bad[..1], 2, Priority::Normal).await;
    shop.wait_for_effects(&bad[0], &[2]).await;
    shop.mood.reject.lock().unwrap().clear();
    for letter in letters {
        redrive(&shop.listener, &heard, letter.id).await.unwrap();
    }
    assert_eq!(shop.effects(&bad[0]).await, [2]);
    assert_eq!(shop.effects(&bad[1]).await, [1]);
    say(&shop, &bad[1..], 2, Priority::Normal).await;
    shop.wait_for_effects(&bad[1], &[1, 2]).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// What is said of a dead letter is said with its writing: not again with each copy of its event, which is tried again.
#[tokio::test]
async fn a_dead_letter_that_comes_again_is_said_once() {
    let shop = Shop::open(OnReject::GoOn).await;
    let bad = walks("bad", 1);
    shop.mood.reject.lock().unwrap().clone_from(&bad);
    let said = Arc::new(AtomicU32::new(0));
    let counted = said.clone();
    let heard = Subscription::to_state(Stepped::AGGREGATE, ["speaker"])
        .on(shop.write_down())
        .on_dead_letter(move |_, _, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
    let listener = shop.start_listener_as(Topology::of("listener").hears(heard));
    say(&shop, &bad, 1, Priority::Normal).await;
    shop.keep_outbox().await;
    let speaker = shop.start_speaker();
    shop.assert_at_rest().await;
    for _ in 0..2 {
        shop.put_back().await;
        shop.assert_at_rest().await;
    }
    assert_eq!(count(shop.listener.pool(), "messaging.dead_letter").await, 1);
    assert_eq!(said.load(Ordering::SeqCst), 1);
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// A consumer that acknowledged a message with the first of its events would lose the others here.
#[tokio::test]
async fn a_message_is_acknowledged_with_the_last_of_its_events() {
    let shop = open_gated().await;
    let walks = walks("walk", 5);
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    // One transaction and one slot: one message.
    shop.walk(&names, 1..=1).await;
    let speaker = shop.start_speaker();
    let listener = shop.start_listener_as(topology(&shop, lanes(4)));
    shop.mood.gate.add_permits(1);
    wait_for("the first is committed and the second at the gate", SOON, async || {
        match shop.mood.at_gate.load(Ordering::SeqCst) {
            2 => Ok(()),
            at_gate => Err(at_gate),
        }
    })
    .await
    .unwrap();
    listener.die().await;
    shop.mood.gate.add_permits(1_000_000);
    let listener = shop.start_listener_as(topology(&shop, lanes(4)));
    shop.wait_for_total(5).await;
    shop.assert_walked(&walks, 1).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// How often a step of each walk is said while all die: so often that each death meets them at work.
const PACE: Duration = Duration::from_millis(50);

#[tokio::test]
async fn readers_that_die_lose_nothing_and_never_go_back() {
    for dispatch in [lanes(3), Dispatch::FreshestFirst { deadline: Duration::from_millis(50) }] {
        let shop = Shop::open(OnReject::GoOn).await;
        let walks: Vec<String> = (0..20).map(|walk| format!("walk-{walk}")).collect();
        let heard = || {
            let subscription = Subscription::to_state(Stepped::AGGREGATE, ["speaker"])
                .dispatch(dispatch)
                .on(shop.write_down());
            Topology::of("listener").hears(subscription)
        };
        let over = AtomicBool::new(false);
        let write = repeat_until(&over, PACE, async |number| {
            let priority = if number % 3 == 0 { Priority::Normal } else { Priority::Bulk };
            say(&shop, &walks, number, priority).await;
        });
        let kill = async {
            for round in 0_u64..10 {
                let (speaker, listener) = (shop.start_speaker(), shop.start_listener_as(heard()));
                // Each life ends at another point of what it is doing.
                let life = Duration::from_millis(60 + 37 * round);
                let _ = tokio::time::timeout(life, std::future::pending::<()>()).await;
                speaker.die().await;
                listener.die().await;
            }
            over.store(true, Ordering::Relaxed);
        };
        let (last, ()) = tokio::join!(write, kill);
        let (speaker, listener) = (shop.start_speaker(), shop.start_listener_as(heard()));
        shop.assert_at_rest().await;
        for walk in &walks {
            let effects = shop.effects(walk).await;
            assert!(effects.is_sorted_by(|before, after| before < after), "{walk}: {effects:?}");
            assert_eq!(effects.last(), Some(&last), "{walk}");
        }
        speaker.shut_down().await;
        listener.shut_down().await;
    }
}
