//! Processes die, connections break, and nothing is lost or doubled.

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

use crate::shop::{SOON, Shop, count, wait_for_count};

/// A consumer that acknowledged before its commit would lose here what it had in hand.
#[tokio::test]
async fn a_listener_that_dies_before_its_commit_loses_nothing() {
    let mut shop = Shop::open(OnReject::BlockKey).await;
    let mood = std::sync::Arc::get_mut(&mut shop.mood).unwrap();
    mood.gate = Semaphore::new(0);
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    shop.walk(&["w"], 1..=5).await;
    wait_for("the batch is in hand", SOON, async || {
        match shop.mood.at_gate.load(Ordering::SeqCst) {
            0 => Err("not yet"),
            _ => Ok(()),
        }
    })
    .await
    .unwrap();
    listener.die().await;
    shop.mood.gate.add_permits(10_000);
    let listener = shop.start_listener();
    shop.wait_for_effects("w", &[1, 2, 3, 4, 5]).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// A relay that deleted before the confirm would lose here what the broker never got.
#[tokio::test]
async fn what_the_broker_does_not_confirm_stays_in_the_outbox() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (proxy, url) = Proxy::before(shop.vhost.url()).await.unwrap();
    let (speaker, listener) = (shop.start_speaker_at(&url), shop.start_listener());
    shop.walk(&["w"], 1..=1).await;
    shop.wait_for_effects("w", &[1]).await;
    // From here on nothing reaches the broker, though the connection looks sound.
    proxy.blackhole(Direction::ToServer);
    shop.walk(&["w"], 2..=20).await;
    let written = |shop: &Shop| {
        let pool = shop.speaker.pool().clone();
        async move { count(&pool, "messaging.outbox").await }
    };
    assert_eq!(written(&shop).await, 19);
    wait_for("the relay has given the connection up", SOON, async || {
        let left = written(&shop).await;
        assert_eq!(left, 19, "deleted without a confirm");
        if speaker.speaks() { Err("it trusts the connection still") } else { Ok(()) }
    })
    .await
    .unwrap();
    proxy.heal().await;
    shop.wait_for_effects("w", &(1..=20).collect::<Vec<_>>()).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// How often a step of each walk is said while both die: so often that each death meets them at work.
const PACE: Duration = Duration::from_millis(20);

#[tokio::test]
async fn both_die_again_and_again_and_nothing_is_lost_or_doubled() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let walks: Vec<String> = (0..20).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    let over = AtomicBool::new(false);
    let write = shop.walk_until(&over, PACE, &names);
    let kill = async {
        for round in 0_u64..12 {
            let before = count(shop.listener.pool(), "effect").await;
            let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
            // Each life ends at another point of what it is doing: every third after something took effect, the others wherever they are.
            if round.is_multiple_of(3) {
                shop.wait_for_total(before + 1).await;
            }
            tokio::time::sleep(Duration::from_millis(60 + 37 * round)).await;
            speaker.die().await;
            listener.die().await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let (last, ()) = tokio::join!(write, kill);
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    shop.wait_for_total(20 * last).await;
    shop.assert_walked(&walks, last).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn broken_connections_lose_and_double_nothing() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (to_broker, url) = Proxy::before(shop.vhost.url()).await.unwrap();
    let (speaker, listener) = (shop.start_speaker_at(&url), shop.start_listener_at(&url));
    let walks: Vec<String> = (0..10).map(|walk| format!("walk-{walk}")).collect();
    let names: Vec<&str> = walks.iter().map(String::as_str).collect();
    for number in 1..=60 {
        // A cut database may fail a commit; whether it took place is looked up before it is tried again.
        loop {
            let Ok(mut tx) = shop.speaker.begin().await else { continue };
            let said: Option<i64> = sqlx::query_scalar(
                "select last from messaging.sequence where aggregate = 'walk' and key = 'walk-0'",
            )
            .fetch_optional(&mut *tx)
            .await
            .unwrap_or(None);
            if said == Some(number) {
                break;
            }
            for walk in &names {
                tx.emit(&crate::shop::Stepped { walk: (*walk).to_owned(), number }).unwrap();
            }
            if tx.commit().await.is_ok() {
                break;
            }
        }
        if number % 10 == 5 {
            to_broker.cut();
        }
        if number % 20 == 10 {
            shop.cut_databases().await;
        }
    }
    shop.wait_for_total(10 * 60).await;
    shop.assert_walked(&walks, 60).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// How soon there are effects again after a connection broke.
const RECOVERY: Duration = Duration::from_secs(5);

/// Each cut meets relay and consumers at another point of what they do, also while they connect.
#[tokio::test]
async fn cut_connections_are_made_anew_within_seconds() {
    let cuts = std::env::var("CUTS").map_or(8, |cuts| cuts.parse().unwrap());
    let shop = Shop::open(OnReject::BlockKey).await;
    let (to_broker, url) = Proxy::before(shop.vhost.url()).await.unwrap();
    let (speaker, listener) = (shop.start_speaker_at(&url), shop.start_listener_at(&url));
    let (mut slowest, mut number) = (Duration::ZERO, 0);
    for cut in 0..cuts {
        to_broker.cut();
        let began = Instant::now();
        number += 1;
        shop.walk(&["w"], number..=number).await;
        wait_for_count("the step has its effect", shop.listener.pool(), "effect", number).await;
        let took = began.elapsed();
        assert!(took < RECOVERY, "there was no effect for {took:?} after cut {cut}");
        slowest = slowest.max(took);
        tokio::time::sleep(Duration::from_millis(cut % 7)).await;
    }
    println!("{cuts} cuts, the slowest was over after {slowest:?}");
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// A queue of the test's own, to which all comes that the speaker publishes, for as long as its connection lives.
struct Copies {
    queue: String,
    channel: Channel,
    _connection: Connection,
}

impl Copies {
    async fn of_what_is_published(shop: &Shop) -> Self {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(shop.vhost.url(), properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let declared = channel.queue_declare("".into(), options, FieldTable::default());
        let queue = declared.await.unwrap().name().to_string();
        let bound = channel.queue_bind(
            queue.as_str().into(),
            "speaker".into(),
            "#".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        bound.await.unwrap();
        Self { queue, channel, _connection: connection }
    }

    /// The numbers of the events that were published since this was last asked, in their order.
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

/// The effects alone would not tell: cursors drop what two relays publish side by side.
#[tokio::test]
async fn two_relays_of_one_service_share_nothing_but_the_lease() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let copies = Copies::of_what_is_published(&shop).await;
    let (first, second, listener) =
        (shop.start_speaker(), shop.start_speaker(), shop.start_listener());
    let walk = async |numbers: std::ops::RangeInclusive<i64>| {
        for number in numbers.clone() {
            shop.walk(&["w"], number..=number).await;
        }
        shop.wait_for_effects("w", &(1..=*numbers.end()).collect::<Vec<_>>()).await;
        // What is deleted is not published any more, whoever leads next.
        shop.wait_until_all_is_published().await;
        assert_eq!(copies.take().await, numbers.collect::<Vec<_>>(), "each is published once");
    };
    walk(1..=50).await;
    // Whichever leads: when it is gone, the other takes over.
    first.die().await;
    walk(51..=100).await;
    shop.assert_at_rest().await;
    second.shut_down().await;
    listener.shut_down().await;
}
