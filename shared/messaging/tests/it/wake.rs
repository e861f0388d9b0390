//! Who does not lead wakes who does.

use std::time::{Duration, Instant};

use messaging::{Kit, OnReject};

use crate::shop::{SOON, Shop, Stepped, count};
use testkit::wait_for;

/// How many transactions are told of, one after the other.
const TOLD: u32 = 40;

/// How long the relay leaves an outbox that it found empty unwatched, unless somebody wakes it.
const SWEEP: Duration = Duration::from_millis(250);

/// Says one step, and waits until the relay has carried it: how long that took.
async fn carried(shop: &Shop, kit: &Kit, number: i64) -> Duration {
    let mut tx = kit.begin().await.unwrap();
    tx.emit(&Stepped { walk: "w".into(), number }).unwrap();
    let began = Instant::now();
    tx.commit().await.unwrap();
    while count(shop.speaker.pool(), "messaging.outbox").await > 0 {
        assert!(began.elapsed() < SOON, "step {number} stays in the outbox");
    }
    began.elapsed()
}

/// By the sweep alone each would wait for the most part of its pause, for the relay falls asleep right before.
#[tokio::test]
async fn a_commit_in_another_process_wakes_the_relay() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    // Another process on the same database: once without any relay, once with one that does not lead.
    let other = shop.another_speaker().await;
    let mut number = 1;
    carried(&shop, &other, number).await;
    for follows in [false, true] {
        let follower = follows.then(|| Shop::start_speaker_on(&other, shop.vhost.url()));
        wait_for("the follower is there", SOON, async || match &follower {
            Some(follower) if !follower.speaks() => Err("not yet"),
            _ => Ok(()),
        })
        .await
        .unwrap();
        let mut times = Vec::new();
        for _ in 0..TOLD {
            number += 1;
            times.push(carried(&shop, &other, number).await);
        }
        let total = times.iter().sum::<Duration>();
        assert!(total < SWEEP * TOLD / 2, "{TOLD} events took {total:?}");
        if let Some(follower) = follower {
            follower.shut_down().await;
        }
    }
    shop.wait_for_effects("w", &(1..=number).collect::<Vec<_>>()).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// The connection that hears is made anew, and what was not heard is swept.
#[tokio::test]
async fn a_relay_whose_connection_broke_hears_again() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (speaker, listener) = (shop.start_speaker(), shop.start_listener());
    let other = shop.another_speaker().await;
    carried(&shop, &other, 1).await;
    shop.cut_databases().await;
    let began = Instant::now();
    let (mut number, mut woken) = (1, false);
    while !woken {
        assert!(began.elapsed() < SOON, "nobody wakes the relay");
        let mut total = Duration::ZERO;
        for _ in 0..4 {
            number += 1;
            total += carried(&shop, &other, number).await;
        }
        woken = total < SWEEP;
    }
    shop.wait_for_effects("w", &(1..=number).collect::<Vec<_>>()).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}
