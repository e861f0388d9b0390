//! What is refused while events do not leave, and what is not.

use std::time::Duration;

use messaging::{Kit, OnReject, OutboxBounds, Shed, Worth};
use testkit::{Proxy, RabbitMq, wait_for};

use crate::shop::{SOON, Shop, count};

/// Waits until a write of this worth is refused, and says how.
async fn refused(kit: &Kit, worth: Worth) -> Shed {
    wait_for("a write is refused", SOON, async || match kit.admit(worth) {
        Err(shed) => Ok(shed),
        Ok(()) => Err(format!("{:?}", *kit.pressure().borrow())),
    })
    .await
    .unwrap()
}

/// Waits until a write of this worth is taken.
async fn taken(kit: &Kit, worth: Worth) {
    wait_for("a write is taken", SOON, async || kit.admit(worth)).await.unwrap();
}

#[tokio::test]
async fn lesser_writes_are_refused_while_the_broker_is_away_and_essential_ones_taken() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (proxy, url) = Proxy::before(shop.vhost.url()).await.unwrap();
    let (speaker, listener) = (shop.start_speaker_at(&url), shop.start_listener());
    shop.walk(&["w"], 1..=1).await;
    shop.wait_for_effects("w", &[1]).await;
    proxy.refuse().await;
    proxy.cut();
    shop.walk(&["w"], 2..=30).await;
    let shed = refused(&shop.speaker, Worth::Lesser).await;
    assert_eq!(shed.code, "broker_unavailable");
    assert!(shed.reason.starts_with("events cannot be published: "), "{}", shed.reason);
    assert!(shed.retry_after >= Duration::from_secs(1));
    assert_eq!(shop.speaker.admit(Worth::Essential), Ok(()));
    assert_eq!(shop.speaker.pressure().borrow().outbox_rows, 29);
    proxy.heal().await;
    taken(&shop.speaker, Worth::Lesser).await;
    shop.wait_for_effects("w", &(1..=30).collect::<Vec<_>>()).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

#[tokio::test]
async fn a_full_outbox_refuses_everything_but_what_events_cause() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (proxy, url) = Proxy::before(shop.vhost.url()).await.unwrap();
    proxy.refuse().await;
    let bounds = OutboxBounds { rows: 40, deferrable_rows: 20 };
    let (speaker, listener) = (shop.start_bounded_speaker_at(&url, bounds), shop.start_listener());
    shop.walk(&["w"], 1..=20).await;
    refused(&shop.speaker, Worth::Lesser).await;
    assert_eq!(shop.speaker.admit(Worth::Essential), Ok(()));
    shop.walk(&["w"], 21..=40).await;
    let shed = refused(&shop.speaker, Worth::Essential).await;
    assert_eq!(shed.code, "outbox_full");
    assert!(shed.reason.starts_with("40 events are not published yet: "), "{}", shed.reason);
    // A transaction as the consumer has it is not asked.
    shop.walk(&["w"], 41..=50).await;
    assert_eq!(count(shop.speaker.pool(), "messaging.outbox").await, 50);
    proxy.heal().await;
    taken(&shop.speaker, Worth::Lesser).await;
    shop.wait_for_effects("w", &(1..=50).collect::<Vec<_>>()).await;
    shop.assert_at_rest().await;
    speaker.shut_down().await;
    listener.shut_down().await;
}

/// One row that does not leave makes the numbers run far ahead of it; the rows are counted then.
#[tokio::test]
async fn numbers_that_ran_ahead_are_not_taken_for_rows() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let (proxy, url) = Proxy::before(shop.vhost.url()).await.unwrap();
    proxy.refuse().await;
    shop.walk(&["w"], 1..=100).await;
    sqlx::raw_sql("delete from messaging.outbox where id between 2 and 99")
        .execute(shop.speaker.pool())
        .await
        .unwrap();
    let bounds = OutboxBounds { rows: 40, deferrable_rows: 20 };
    let speaker = shop.start_bounded_speaker_at(&url, bounds);
    wait_for("the outbox is looked at", SOON, async || {
        let rows = shop.speaker.pressure().borrow().outbox_rows;
        if rows > 0 { Ok(()) } else { Err(rows) }
    })
    .await
    .unwrap();
    assert_eq!(shop.speaker.pressure().borrow().outbox_rows, 2);
    assert_eq!(refused(&shop.speaker, Worth::Lesser).await.code, "broker_unavailable");
    assert_eq!(shop.speaker.admit(Worth::Essential), Ok(()));
    speaker.shut_down().await;
}

/// The broker tells of an alarm only to who publishes: the others are told by the process that leads.
#[tokio::test]
async fn under_an_alarm_every_process_refuses_lesser_writes() {
    let shop = Shop::open(OnReject::BlockKey).await;
    let broker = RabbitMq::start().await.unwrap();
    messaging::declare(&broker.url(), &Shop::speaker_topology()).await.unwrap();
    let leader = shop.start_speaker_at(&broker.url());
    shop.walk(&["w"], 1..=1).await;
    // Whoever publishes leads: the first process.
    shop.wait_until_all_is_published().await;
    let other = shop.another_speaker().await;
    let follower = Shop::start_speaker_on(&other, &broker.url());
    broker.set_memory_alarm(true).await.unwrap();
    shop.walk(&["w"], 2..=5).await;
    for kit in [&shop.speaker, &other] {
        let shed = refused(kit, Worth::Lesser).await;
        assert!(shed.reason.contains("alarm"), "{}", shed.reason);
        assert_eq!(kit.admit(Worth::Essential), Ok(()));
    }
    assert!(follower.speaks(), "it was told by the other, for its own connection seems sound");
    broker.set_memory_alarm(false).await.unwrap();
    for kit in [&shop.speaker, &other] {
        taken(kit, Worth::Lesser).await;
    }
    assert_eq!(count(shop.speaker.pool(), "messaging.outbox").await, 0);
    leader.shut_down().await;
    follower.shut_down().await;
}
