//! A lost message is noticed, and its publisher sends it again.

use std::time::Duration;

use envelope::Slot;
use futures::StreamExt as _;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{
        BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, BasicRejectOptions,
        ConfirmSelectOptions,
    },
    types::{AMQPValue, FieldTable},
};
use messaging::{DEFAULT_SLOT_GROUPS, MessageLogBounds, OnReject};
use testkit::wait_for;

use crate::harness::{Harness, count, wait_for_count};

/// Walks of both slot groups.
const WALKS: [&str; 3] = ["walk-0", "walk-1", "walk-2"];

/// The last message of a slot is sent again after 20 s, and a missing one is asked for after 2 s.
const NOTICED: Duration = Duration::from_mins(1);

/// Waits until each walk has the effects of the steps 1 to `last`, in order.
async fn wait_for_walks(harness: &Harness, last: i64) {
    wait_for("all steps have taken effect", NOTICED, async || {
        let mut missing = Vec::new();
        for walk in WALKS {
            let effects = harness.effects(walk).await;
            if effects != (1..=last).collect::<Vec<_>>() {
                missing.push(format!("{walk}: {effects:?}"));
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(missing.join(", ")) }
    })
    .await
    .unwrap();
}

async fn wait_for_letter(harness: &Harness, reason: &str) -> serde_json::Value {
    let payload = wait_for(reason, NOTICED, async || {
        let found: Option<Vec<u8>> =
            sqlx::query_scalar("select payload from messaging.dead_letter where reason = $1")
                .bind(reason)
                .fetch_optional(harness.consumer.pool())
                .await
                .unwrap();
        found.ok_or_else(|| "no dead letter".to_owned())
    });
    serde_json::from_slice(&payload.await.unwrap()).unwrap()
}

#[tokio::test]
async fn messages_of_a_lost_queue_are_sent_again() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&WALKS, 1..=5).await;
    harness.wait_for_total(15).await;
    consumer.shut_down().await;
    harness.publish_steps(&WALKS, 6..=10).await;
    harness.wait_until_published().await;
    assert!(harness.delete_queues().await > 0);
    // Nothing is published any more, so only reminders show the loss.
    let consumer = harness.start_consumer();
    wait_for_walks(&harness, 10).await;
    harness.assert_drained().await;
    assert_eq!(consumer.status().missing_messages.len(), 0);
    assert_eq!(count(harness.consumer.pool(), "messaging.dead_letter").await, 0);
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_new_relay_shows_the_loss_of_the_last_messages() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let publisher = harness.start_publisher();
    harness.publish_steps(&WALKS, 1..=5).await;
    harness.wait_until_published().await;
    publisher.shut_down().await;
    assert!(harness.delete_queues().await > 0);
    // Nothing is published any more, and the relay that published is gone.
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    wait_for_walks(&harness, 5).await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// What is stored of the positions: the highest one, and the first of each range that is missing.
async fn received_positions(harness: &Harness) -> Vec<(i64, Vec<i64>)> {
    sqlx::query_as("select received, missing_first from messaging.received_position")
        .fetch_all(harness.consumer.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_dead_lettered_message_is_not_missing() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let publisher = harness.start_publisher();
    for number in 1..=2 {
        harness.publish_steps(&WALKS[..1], number..=number).await;
        harness.wait_until_published().await;
    }
    // Nobody answers requests.
    publisher.shut_down().await;
    reject_first_message(&harness).await;
    let consumer = harness.start_consumer();
    harness.wait_for_total(2).await;
    wait_for("both messages have arrived", NOTICED, async || {
        let positions = received_positions(&harness).await;
        if positions == [(2, vec![])] { Ok(()) } else { Err(format!("{positions:?}")) }
    })
    .await
    .unwrap();
    consumer.shut_down().await;
}

/// Rejects the first message of the first walk, as the broker does after too many deliveries.
async fn reject_first_message(harness: &Harness) {
    let connection = Connection::connect(harness.vhost.url(), ConnectionProperties::default());
    let connection = connection.await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
    let queue = format!("consumer.walk.{}", Slot::of(WALKS[0]).number() % DEFAULT_SLOT_GROUPS);
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let consumer = channel.basic_consume(queue.as_str().into(), "".into(), options, arguments);
    let first = consumer.await.unwrap().next().await.unwrap().unwrap();
    first.reject(BasicRejectOptions { requeue: false }).await.unwrap();
    connection.close(200, "done".into()).await.unwrap();
}

#[tokio::test]
async fn a_restored_subscriber_asks_for_the_rest() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&WALKS, 1..=5).await;
    harness.wait_for_total(15).await;
    harness.assert_drained().await;
    consumer.shut_down().await;
    let backup = harness.back_up_consumer().await;
    let consumer = harness.start_consumer();
    harness.publish_steps(&WALKS, 6..=200).await;
    harness.wait_for_total(600).await;
    consumer.shut_down().await;
    harness.restore_consumer(&backup).await;
    assert_eq!(count(harness.consumer.pool(), "effect").await, 15);
    // The next event shows what is missing.
    let consumer = harness.start_consumer();
    harness.publish_steps(&WALKS, 201..=201).await;
    wait_for_walks(&harness, 201).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn what_left_the_log_is_a_dead_letter() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let bounds = MessageLogBounds { age: Duration::from_secs(2), ..MessageLogBounds::default() };
    let (publisher, consumer) =
        (harness.start_publisher_with_log(bounds), harness.start_consumer());
    harness.publish_steps(&WALKS[..1], 1..=1).await;
    harness.wait_for_total(1).await;
    consumer.shut_down().await;
    harness.publish_steps(&WALKS[..1], 2..=3).await;
    harness.wait_until_published().await;
    assert_eq!(harness.delete_queues().await, 1);
    wait_for_count("the log is empty", harness.publisher.pool(), "messaging.message", 0).await;
    let consumer = harness.start_consumer();
    consumer.wait_for_queues().await;
    harness.publish_steps(&WALKS[..1], 4..=4).await;
    let letter = wait_for_letter(&harness, "messages_lost").await;
    assert_eq!((&letter["publisher"], &letter["aggregate"]), (&"publisher".into(), &"walk".into()));
    assert_eq!((&letter["first"], &letter["last"]), (&2.into(), &2.into()));
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_publisher_that_went_back_is_named() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&WALKS, 1..=5).await;
    harness.wait_for_total(15).await;
    publisher.shut_down().await;
    let backup = harness.back_up_publisher().await;
    let publisher = harness.start_publisher();
    for number in 6..=9 {
        harness.publish_steps(&WALKS[..1], number..=number).await;
        harness.wait_for_total(number + 10).await;
    }
    publisher.shut_down().await;
    harness.restore_publisher(&backup).await;
    let publisher = harness.start_publisher();
    harness.publish_steps(&WALKS[..1], 6..=6).await;
    let letter = wait_for_letter(&harness, "publisher_went_back").await;
    assert_eq!(letter["publisher"], "publisher");
    assert_eq!(letter["last"].as_i64().unwrap() - letter["first"].as_i64().unwrap(), 2);
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// Publishes an empty message with this position.
#[expect(clippy::disallowed_methods, reason = "the position is forged")]
async fn forge(harness: &Harness, position: i64) {
    let connection = Connection::connect(harness.vhost.url(), ConnectionProperties::default());
    let connection = connection.await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let history: i64 = sqlx::query_scalar(
        "select (extract(epoch from began_at) * 1000000)::bigint from messaging.history",
    )
    .fetch_one(harness.publisher.pool())
    .await
    .unwrap();
    let slot: i16 = sqlx::query_scalar("select slot from messaging.slot_position limit 1")
        .fetch_one(harness.publisher.pool())
        .await
        .unwrap();
    let mut headers = FieldTable::default();
    for (name, value) in [("history", history), ("slot", slot.into()), ("position", position)] {
        headers.insert(name.into(), AMQPValue::LongLongInt(value));
    }
    let properties =
        BasicProperties::default().with_app_id("publisher".into()).with_headers(headers);
    let key = format!("walk.{slot}");
    let published = channel.basic_publish(
        "publisher".into(),
        key.as_str().into(),
        BasicPublishOptions::default(),
        b"[]",
        properties,
    );
    published.await.unwrap().await.unwrap();
    connection.close(200, "done".into()).await.unwrap();
}

#[tokio::test]
async fn a_forged_position_blocks_nothing_and_is_named() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&WALKS[..1], 1..=1).await;
    harness.wait_for_total(1).await;
    forge(&harness, i64::MAX).await;
    harness.publish_steps(&WALKS[..1], 2..=2).await;
    harness.wait_for_total(2).await;
    let letter = wait_for_letter(&harness, "publisher_went_back").await;
    assert_eq!(letter["last"], i64::MAX);
    // A loss is noticed as before.
    consumer.shut_down().await;
    harness.publish_steps(&WALKS[..1], 3..=3).await;
    harness.wait_until_published().await;
    assert_eq!(harness.delete_queues().await, 1);
    let consumer = harness.start_consumer();
    consumer.wait_for_queues().await;
    harness.publish_steps(&WALKS[..1], 4..=4).await;
    wait_for("all steps have taken effect", NOTICED, async || {
        let effects = harness.effects(WALKS[0]).await;
        if effects == [1, 2, 3, 4] { Ok(()) } else { Err(format!("{effects:?}")) }
    })
    .await
    .unwrap();
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
