//! Which writes are rejected while events cannot be published.

use std::time::Duration;

use messaging::{Criticality, OnReject, Outbox, OutboxBounds, Overloaded};
use testkit::{Proxy, RabbitMq, wait_for};

use crate::harness::{Harness, TIMEOUT, count};

/// Waits until a write of this criticality is rejected.
async fn wait_until_rejected(outbox: &Outbox, criticality: Criticality) -> Overloaded {
    wait_for("a write is rejected", TIMEOUT, async || match outbox.admit(criticality) {
        Err(overloaded) => Ok(overloaded),
        Ok(()) => Err(format!("{:?}", *outbox.backpressure().borrow())),
    })
    .await
    .unwrap()
}

/// Waits until a write of this criticality is admitted.
async fn wait_until_admitted(outbox: &Outbox, criticality: Criticality) {
    wait_for("a write is admitted", TIMEOUT, async || outbox.admit(criticality)).await.unwrap();
}

#[tokio::test]
async fn a_broker_outage_rejects_only_deferrable_writes() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (proxy, url) = Proxy::in_front_of(harness.vhost.url()).await.unwrap();
    let (publisher, consumer) = (harness.start_publisher_at(&url), harness.start_consumer());
    harness.publish_steps(&["w"], 1..=1).await;
    harness.wait_for_effects("w", &[1]).await;
    proxy.refuse().await;
    proxy.cut();
    harness.publish_steps(&["w"], 2..=30).await;
    let overloaded = wait_until_rejected(&harness.publisher, Criticality::Deferrable).await;
    assert_eq!(overloaded.code, "broker_unavailable");
    assert!(overloaded.reason.starts_with("events cannot be published: "), "{}", overloaded.reason);
    assert!(overloaded.retry_after >= Duration::from_secs(1));
    assert_eq!(harness.publisher.admit(Criticality::Critical), Ok(()));
    assert_eq!(harness.publisher.backpressure().borrow().outbox_rows, 29);
    proxy.heal().await;
    wait_until_admitted(&harness.publisher, Criticality::Deferrable).await;
    harness.wait_for_effects("w", &(1..=30).collect::<Vec<_>>()).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_full_outbox_rejects_all_writes_but_those_of_consumers() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (proxy, url) = Proxy::in_front_of(harness.vhost.url()).await.unwrap();
    proxy.refuse().await;
    let bounds = OutboxBounds { rows: 40, deferrable_rows: 20 };
    let (publisher, consumer) =
        (harness.start_bounded_publisher_at(&url, bounds), harness.start_consumer());
    harness.publish_steps(&["w"], 1..=20).await;
    wait_until_rejected(&harness.publisher, Criticality::Deferrable).await;
    assert_eq!(harness.publisher.admit(Criticality::Critical), Ok(()));
    harness.publish_steps(&["w"], 21..=40).await;
    let overloaded = wait_until_rejected(&harness.publisher, Criticality::Critical).await;
    assert_eq!(overloaded.code, "outbox_full");
    assert!(
        overloaded.reason.starts_with("40 events are not published yet: "),
        "{}",
        overloaded.reason
    );
    // Consumers do not ask for admission.
    harness.publish_steps(&["w"], 41..=50).await;
    assert_eq!(count(harness.publisher.pool(), "messaging.outbox").await, 50);
    proxy.heal().await;
    wait_until_admitted(&harness.publisher, Criticality::Deferrable).await;
    harness.wait_for_effects("w", &(1..=50).collect::<Vec<_>>()).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// One row that stays makes the ids run far ahead of the number of rows; then the rows are counted.
#[tokio::test]
async fn gaps_in_outbox_ids_are_not_counted_as_rows() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (proxy, url) = Proxy::in_front_of(harness.vhost.url()).await.unwrap();
    proxy.refuse().await;
    harness.publish_steps(&["w"], 1..=100).await;
    sqlx::raw_sql("delete from messaging.outbox where id between 2 and 99")
        .execute(harness.publisher.pool())
        .await
        .unwrap();
    let bounds = OutboxBounds { rows: 40, deferrable_rows: 20 };
    let publisher = harness.start_bounded_publisher_at(&url, bounds);
    wait_for("the outbox is measured", TIMEOUT, async || {
        let rows = harness.publisher.backpressure().borrow().outbox_rows;
        if rows > 0 { Ok(()) } else { Err(rows) }
    })
    .await
    .unwrap();
    assert_eq!(harness.publisher.backpressure().borrow().outbox_rows, 2);
    assert_eq!(
        wait_until_rejected(&harness.publisher, Criticality::Deferrable).await.code,
        "broker_unavailable"
    );
    assert_eq!(harness.publisher.admit(Criticality::Critical), Ok(()));
    publisher.shut_down().await;
}

/// The broker notifies only publishing connections of an alarm; the leading process notifies the other processes.
#[tokio::test]
async fn an_alarm_rejects_deferrable_writes_in_every_process() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let broker = RabbitMq::start().await.unwrap();
    messaging::declare(&broker.url(), &Harness::publisher_topology()).await.unwrap();
    let leader = harness.start_publisher_at(&broker.url());
    harness.publish_steps(&["w"], 1..=1).await;
    // The first process leads, because it publishes.
    harness.wait_until_published().await;
    let other = harness.another_publisher().await;
    let follower = Harness::start_publisher_on(&other, &broker.url());
    broker.set_memory_alarm(true).await.unwrap();
    harness.publish_steps(&["w"], 2..=5).await;
    for outbox in [&harness.publisher, &other] {
        let overloaded = wait_until_rejected(outbox, Criticality::Deferrable).await;
        assert!(overloaded.reason.contains("alarm"), "{}", overloaded.reason);
        assert_eq!(outbox.admit(Criticality::Critical), Ok(()));
    }
    assert!(follower.is_publishing(), "the leader notified it, because its own connection works");
    broker.set_memory_alarm(false).await.unwrap();
    for outbox in [&harness.publisher, &other] {
        wait_until_admitted(outbox, Criticality::Deferrable).await;
    }
    assert_eq!(count(harness.publisher.pool(), "messaging.outbox").await, 0);
    leader.shut_down().await;
    follower.shut_down().await;
}
