//! What cannot be handled is kept and explained, its neighbours go on, and it can be sent again.

use envelope::{Event, Slot};
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use messaging::{
    OnReject, Subscription, Topology,
    dead_letters::{self, DeadLetter, Pace, Selection, Unresolved, discard, discard_many, redrive},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use testkit::wait_for;
use tokio::sync::Semaphore;

use crate::shop::{SOON, Shop, Stepped, count, wait_for_count};

async fn letters(shop: &Shop, expected: usize) -> Vec<DeadLetter> {
    wait_for("the dead letters are there", SOON, async || {
        let mut connection = shop.listener.pool().acquire().await.unwrap();
        let letters = dead_letters::list(&mut connection, &Selection::default(), true, None, 100)
            .await
            .unwrap();
        if letters.len() == expected { Ok(letters) } else { Err(format!("{letters:?}")) }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_reject_blocks_its_key_until_it_is_sent_again_with_success() {
    let shop = Shop::open(OnReject::BlockKey).await;
    shop.mood.reject.lock().unwrap().push("bad".into());
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    shop.walk(&["bad", "good"], 1..=3).await;
    shop.wait_for_effects("good", &[1, 2, 3]).await;
    let letter = letters(&shop, 1).await.remove(0);
    assert_eq!((letter.reason.as_str(), letter.sequence), ("told_to_reject", Some(1)));
    assert_eq!(letter.causes, ["no"]);
    assert!(letter.blocks);
    assert_eq!(shop.effects("bad").await, [0_i64; 0]);

    // It fails again as long as nothing has changed, and is still there.
    let topology = shop.listener_topology();
    let again = redrive(&shop.listener, &topology, letter.id).await;
    assert!(matches!(again, Err(Unresolved::FailedAgain(_))), "{again:?}");
    shop.mood.reject.lock().unwrap().clear();
    redrive(&shop.listener, &topology, letter.id).await.unwrap();
    shop.wait_for_effects("bad", &[1, 2, 3]).await;
    // It takes effect once: the second time there is nothing to be sent.
    let twice = redrive(&shop.listener, &topology, letter.id).await;
    assert!(matches!(twice, Err(Unresolved::NotPending(_))), "{twice:?}");
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_discarded_letter_lets_its_key_go_on_without_it() {
    let shop = Shop::open(OnReject::BlockKey).await;
    shop.mood.reject.lock().unwrap().push("bad".into());
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    shop.walk(&["bad"], 1..=3).await;
    let letter = letters(&shop, 1).await.remove(0);
    discard(&shop.listener, letter.id).await.unwrap();
    shop.wait_for_effects("bad", &[2, 3]).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_reject_that_does_not_block_lets_the_key_go_on_at_once() {
    let shop = Shop::open(OnReject::GoOn).await;
    shop.mood.reject.lock().unwrap().push("bad".into());
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    shop.walk(&["bad"], 1..=3).await;
    shop.wait_for_effects("bad", &[2, 3]).await;
    assert!(!letters(&shop, 1).await[0].blocks);
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_bad_event_in_a_batch_is_found_and_its_neighbours_go_on() {
    let shop = Shop::open(OnReject::GoOn).await;
    shop.mood.fail.lock().unwrap().push("bad".into());
    shop.mood.panic.lock().unwrap().push("explosive".into());
    let walks: Vec<String> = (0..30).map(|walk| format!("walk-{walk}")).collect();
    let mut names: Vec<&str> = walks.iter().map(String::as_str).collect();
    names.insert(11, "bad");
    names.insert(23, "explosive");
    // All are in the outbox before anybody reads it, so they come in batches.
    shop.walk(&names, 1..=4).await;
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    shop.wait_for_total(30 * 4).await;
    shop.assert_walked(&walks, 4).await;
    let letters = letters(&shop, 8).await;
    let reasons = |reason: &str| letters.iter().filter(|letter| letter.reason == reason).count();
    assert_eq!((reasons("told_to_fail"), reasons("panicked")), (4, 4));
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// Puts messages on the exchange of the speaker that it did not say.
#[expect(
    clippy::disallowed_methods,
    reason = "poison comes from somebody who does not use the kit"
)]
async fn publish_foreign(shop: &Shop, bodies: &[&str]) {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(shop.vhost.url(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for body in bodies {
        let published = channel.basic_publish(
            "speaker".into(),
            "walk.3".into(),
            BasicPublishOptions::default(),
            body.as_bytes(),
            BasicProperties::default(),
        );
        published.await.unwrap().await.unwrap();
    }
}

#[tokio::test]
async fn a_message_that_is_no_event_becomes_a_dead_letter() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    shop.walk(&["good"], 1..=1).await;
    let undecodable_data = r#"[{"specversion":"1.0","id":"01920000-0000-7000-8000-000000000001",
        "source":"speaker","type":"walk.stepped.v1","subject":"odd","time":"2026-11-22T08:00:00Z",
        "sequence":"1","aggregate":"walk","data":{"walk":17}}]"#;
    publish_foreign(&shop, &["不是 json", "[1,2]", undecodable_data]).await;
    shop.walk(&["good"], 2..=2).await;
    shop.wait_for_effects("good", &[1, 2]).await;
    // Two numbers are two things that are no events; each is kept by itself.
    let letters = letters(&shop, 4).await;
    assert!(letters.iter().all(|letter| letter.reason == "undecodable"), "{letters:?}");
    assert!(letters.iter().any(|letter| letter.payload == "不是 json"));
    assert!(letters.iter().any(|letter| letter.key.as_deref() == Some("odd")));
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn many_that_are_no_events_are_given_up_no_more_than_asked_at_a_time() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    publish_foreign(&shop, &["a", "b", "c", "d", "e"]).await;
    letters(&shop, 5).await;
    let mut after = None;
    for (discarded, left) in [(2, 3), (2, 1), (1, 0)] {
        let pace = Pace { per_second: 1_000, at_most: 2, within: SOON, after };
        let done = discard_many(&shop.listener, &Selection::default(), pace).await.unwrap();
        assert_eq!((done.discarded, done.left), (discarded, left));
        after = done.next;
        assert_eq!(after.is_some(), left > 0);
    }
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_parked_event_whose_handler_cannot_reach_the_database_is_not_held_against_it() {
    const OUTAGES: u32 = 3;
    let shop = Shop::open(OnReject::BlockKey).await;
    *shop.mood.retry.lock().unwrap() = HashMap::from([("far".to_owned(), 1)]);
    *shop.mood.outage.lock().unwrap() = HashMap::from([("far".to_owned(), u32::MAX)]);
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    shop.walk(&["far"], 1..=1).await;
    wait_for("the handler has met an outage again and again", SOON, async || {
        let left = shop.mood.outage.lock().unwrap()["far"];
        if u32::MAX - left >= OUTAGES { Ok(()) } else { Err(left) }
    })
    .await
    .unwrap();
    let starts: i32 = sqlx::query_scalar("select max(starts) from messaging.parked")
        .fetch_one(shop.listener.pool())
        .await
        .unwrap();
    assert!(starts <= 1, "{starts} starts");
    // Its neighbours have their turn meanwhile.
    shop.walk(&["near", "far"], 2..=2).await;
    shop.wait_for_effects("near", &[2]).await;
    shop.mood.outage.lock().unwrap().clear();
    shop.wait_for_effects("far", &[1, 2]).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// The alarm goes by this figure: a message that comes again is no other letter, nor is one that is written once more because the
/// commit failed.
#[tokio::test]
async fn each_letter_is_counted_once_however_often_it_is_written() {
    // Who listens runs on this thread, as the test does.
    let recorder = PrometheusBuilder::new().build_recorder();
    let _counted_here = metrics::set_default_local_recorder(&recorder);
    let shop = Shop::open(OnReject::BlockKey).await;
    sqlx::raw_sql(
        "create sequence tries;
         create function fail_twice() returns trigger language plpgsql as $$ begin
            if new.reason = 'told_to_reject' and nextval('tries') <= 2 then raise 'not yet'; end if;
            return null;
         end $$;
         create constraint trigger fail_twice after insert on messaging.dead_letter
            deferrable initially deferred for each row execute function fail_twice()",
    )
    .execute(shop.listener.pool())
    .await
    .unwrap();
    shop.mood.reject.lock().unwrap().push("bad".into());
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    shop.walk(&["bad"], 1..=1).await;
    for _ in 0..3 {
        publish_foreign(&shop, &["不是 json"]).await;
    }
    letters(&shop, 2).await;
    shop.assert_at_rest().await;
    let tries: i64 = sqlx::query_scalar("select last_value from tries")
        .fetch_one(shop.listener.pool())
        .await
        .unwrap();
    assert_eq!(tries, 3);
    let text = recorder.handle().render();
    let mut counted: Vec<&str> =
        text.lines().filter(|line| line.starts_with("messaging_dead_letters_total")).collect();
    counted.sort_unstable();
    let once = ["told_to_reject", "undecodable"]
        .map(|reason| format!("messaging_dead_letters_total{{reason=\"{reason}\"}} 1"));
    assert_eq!(counted, once);
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// What is parked keeps its envelope alone, so that its letter has to find the way again.
#[tokio::test]
async fn a_letter_that_was_parked_says_which_way_it_came_and_how_often_it_was_tried() {
    let lonely = ("gapped", "missing_predecessor", 0);
    let expected = [("deadly", "starts_exhausted", 30), lonely, ("tired", "retries_exhausted", 12)];
    for is_of_state in [false, true] {
        let shop = Shop::open(OnReject::BlockKey).await;
        let heard: Subscription = if is_of_state {
            Subscription::to_state(Stepped::AGGREGATE, ["speaker"]).on(shop.write_down()).into()
        } else {
            let cursors = Subscription::to(Stepped::AGGREGATE, ["speaker"], OnReject::BlockKey);
            cursors.on(shop.write_down())
        };
        // Of full state no predecessor is waited for.
        let expected: Vec<_> =
            expected.into_iter().filter(|one| !is_of_state || *one != lonely).collect();
        let never = ["deadly", "tired"].map(|walk| (walk.to_owned(), u32::MAX));
        *shop.mood.retry.lock().unwrap() = HashMap::from(never);
        shop.walk(&["deadly", "tired"], 1..=1).await;
        shop.walk(&["gapped"], 1..=2).await;
        sqlx::raw_sql("delete from messaging.outbox where key = 'gapped' and seq = 1")
            .execute(shop.speaker.pool())
            .await
            .unwrap();
        let speaker = shop.start_speaker();
        let listener = shop.start_listener_as(Topology::of("listener").hears(heard));
        let all = i64::try_from(expected.len()).unwrap();
        wait_for_count("all are parked", shop.listener.pool(), "messaging.parked", all).await;
        // As if one had failed eleven times, and processes had died over another at each of its starts.
        sqlx::raw_sql(
            "update messaging.parked set next_at = now(),
                attempts = case key when 'tired' then 11 else attempts end,
                starts = case key when 'deadly' then 30 else starts end",
        )
        .execute(shop.listener.pool())
        .await
        .unwrap();
        let mut letters = letters(&shop, expected.len()).await;
        letters.sort_by(|one, other| one.key.cmp(&other.key));
        for (letter, (walk, reason, attempts)) in letters.iter().zip(expected) {
            let route = (letter.exchange.as_deref(), letter.routing_key.as_deref());
            let routing_key = format!("walk.{}", Slot::of(walk).number());
            assert_eq!(route, (Some("speaker"), Some(routing_key.as_str())), "{letter:?}");
            let tried = (letter.key.as_deref(), letter.reason.as_str(), letter.attempts);
            assert_eq!(tried, (Some(walk), reason, attempts), "{letter:?}");
        }
        shop.assert_at_rest().await;
        speaker.shut_down().await;
        listener.shut_down().await;
    }
}

/// A letter that waits for a predecessor stays the same one when that came after all and the handler does not want it.
#[tokio::test]
async fn a_letter_that_waited_in_vain_and_is_rejected_after_all_is_said_and_counted_once() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _counted_here = metrics::set_default_local_recorder(&recorder);
    let shop = Shop::open(OnReject::BlockKey).await;
    shop.mood.reject.lock().unwrap().push("late".into());
    let said = Arc::new(AtomicU32::new(0));
    let saying = said.clone();
    let heard = Subscription::to(Stepped::AGGREGATE, ["speaker"], OnReject::BlockKey)
        .on(shop.write_down())
        .on_dead_letter(move |_, _, _| {
            saying.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
    // Of what is said second, it is step 1 that is rejected.
    shop.walk(&["late"], 2..=2).await;
    shop.walk(&["late"], 1..=1).await;
    shop.keep_outbox().await;
    sqlx::raw_sql("delete from messaging.outbox where seq = 1")
        .execute(shop.speaker.pool())
        .await
        .unwrap();
    let speaker = shop.start_speaker();
    let listener = shop.start_listener_as(Topology::of("listener").hears(heard));
    wait_for_count("the second waits for the first", shop.listener.pool(), "messaging.parked", 1)
        .await;
    sqlx::raw_sql("update messaging.parked set next_at = now()")
        .execute(shop.listener.pool())
        .await
        .unwrap();
    let lonely = letters(&shop, 1).await.remove(0);
    assert_eq!(lonely.reason, "missing_predecessor");
    shop.wait_until_all_is_published().await;
    shop.put_back().await;
    wait_for("it is rejected", SOON, async || {
        let letter = letters(&shop, 1).await.remove(0);
        if letter.reason == "told_to_reject" { Ok(letter) } else { Err(letter.reason) }
    })
    .await
    .map(|rejected| assert_eq!(rejected.id, lonely.id))
    .unwrap();
    shop.wait_for_effects("late", &[2]).await;
    shop.assert_at_rest().await;
    assert_eq!(said.load(Ordering::SeqCst), 1);
    let text = recorder.handle().render();
    let counted: Vec<&str> =
        text.lines().filter(|line| line.starts_with("messaging_dead_letters_total")).collect();
    assert_eq!(counted, ["messaging_dead_letters_total{reason=\"missing_predecessor\"} 1"]);
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_key_with_two_dead_letters_goes_on_when_both_are_dealt_with() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    let event = |number: u8, data: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"01920000-0000-7000-8000-00000000000{number}","source":"speaker",
            "type":"walk.stepped.v1","subject":"odd","time":"2026-11-22T08:00:00Z","sequence":"{number}",
            "aggregate":"walk","data":{data}}}"#
        )
    };
    let (bad, good) = (r#"{"walk":17}"#, r#"{"walk":"odd","number":3}"#);
    let together = format!("[{},{},{}]", event(1, bad), event(2, bad), event(3, good));
    publish_foreign(&shop, &[&together]).await;
    let mut both = letters(&shop, 2).await;
    both.sort_by_key(|letter| letter.sequence);
    let second_first = discard(&shop.listener, both[1].id).await;
    assert!(matches!(second_first, Err(Unresolved::NotYet { .. })), "{second_first:?}");

    discard(&shop.listener, both[0].id).await.unwrap();
    // Another key that comes later has its effect; this one has none.
    shop.walk(&["good"], 1..=1).await;
    shop.wait_for_effects("good", &[1]).await;
    assert_eq!(shop.effects("odd").await, [0_i64; 0]);
    discard(&shop.listener, both[1].id).await.unwrap();
    shop.wait_for_effects("odd", &[3]).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn what_processes_died_over_is_tried_apart_and_takes_no_neighbour_along() {
    /// More than the broker's limit.
    const DEATHS: u32 = 60;
    let shop = Shop::open(OnReject::BlockKey).await;
    shop.mood.gate.forget_permits(Semaphore::MAX_PERMITS);
    let walks: Vec<String> = (0..8).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    shop.walk(&names, 1..=2).await;
    let speaker = shop.start_speaker();
    let parked = "messaging.parked where causes[1] like 'delivery limit%'";
    let mut deaths = 0;
    while count(shop.listener.pool(), parked).await == 0 {
        assert!(deaths < DEATHS, "the broker goes on delivering");
        deaths += 1;
        let before = shop.mood.at_gate.load(Ordering::SeqCst);
        let listener = shop.start_listener();
        // Either it holds a batch, or what it was to hold has been put aside by the broker.
        wait_for("the listener is in the middle of something", SOON, async || {
            let at_gate = shop.mood.at_gate.load(Ordering::SeqCst);
            let aside = count(shop.listener.pool(), parked).await;
            if at_gate > before || aside > 0 {
                Ok(())
            } else {
                Err(format!("{at_gate} at the gate"))
            }
        })
        .await
        .unwrap();
        listener.die().await;
    }
    shop.mood.gate.add_permits(1_000);
    let listener = shop.start_listener();
    for walk in &names {
        shop.wait_for_effects(walk, &[1, 2]).await;
    }
    letters(&shop, 0).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}
