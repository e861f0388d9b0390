//! A message is believed only if it belongs to the publisher of its exchange. A refused one becomes a dead letter and blocks nothing.

use std::time::Duration;

use envelope::Slot;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable},
};
use messaging::OnReject;
use testkit::wait_for;

use crate::harness::{Harness, TIMEOUT};

/// A message that a program without the kit publishes.
#[derive(Debug, Clone)]
pub(crate) struct Forgery {
    pub(crate) exchange: &'static str,
    pub(crate) routing_key: String,
    pub(crate) properties: BasicProperties,
    pub(crate) headers: FieldTable,
    pub(crate) body: Vec<u8>,
}

impl Forgery {
    /// Step `number` of `walk` as `source` would publish it, in the exchange of the publisher.
    pub(crate) fn step(source: &str, walk: &str, number: i64) -> Self {
        let body = format!(
            r#"[{{"specversion":"1.0","id":"{}","source":"{source}","type":"walk.stepped.v1","subject":"{walk}","time":"2026-11-22T08:00:00Z","sequence":"{number}","aggregate":"walk","data":{{"walk":"{walk}","number":{number}}}}}]"#,
            uuid::Uuid::now_v7()
        );
        Self {
            exchange: "publisher",
            routing_key: format!("walk.{}", Slot::of(walk).number()),
            properties: BasicProperties::default().with_app_id("publisher".into()),
            headers: FieldTable::default(),
            body: body.into_bytes(),
        }
    }

    /// With this position, in the history of the publisher.
    pub(crate) async fn at_position(mut self, harness: &Harness, slot: i64, position: i64) -> Self {
        let history: i64 = sqlx::query_scalar(
            "select (extract(epoch from began_at) * 1000000)::bigint from messaging.history",
        )
        .fetch_one(harness.publisher.pool())
        .await
        .unwrap();
        for (name, value) in [("history", history), ("slot", slot), ("position", position)] {
            self.headers.insert(name.into(), AMQPValue::LongLongInt(value));
        }
        self
    }

    #[expect(clippy::disallowed_methods, reason = "forgeries come from programs without the kit")]
    pub(crate) async fn publish(self, harness: &Harness) {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(harness.vhost.url(), properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let published = channel.basic_publish(
            self.exchange.into(),
            self.routing_key.as_str().into(),
            BasicPublishOptions::default(),
            &self.body,
            self.properties.with_headers(self.headers),
        );
        published.await.unwrap().await.unwrap();
        connection.close(200, "done".into()).await.unwrap();
    }
}

/// The reasons of the dead letters of the consumer, sorted, once there are as many as expected.
pub(crate) async fn wait_for_reasons(harness: &Harness, expected: &[&str]) {
    wait_for("the dead letters exist", TIMEOUT, async || {
        let found: Vec<String> =
            sqlx::query_scalar("select reason from messaging.dead_letter order by reason")
                .fetch_all(harness.consumer.pool())
                .await
                .unwrap();
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await
    .unwrap();
}

/// The highest position that the consumer has stored of a slot.
async fn received(harness: &Harness, slot: u8) -> i64 {
    sqlx::query_scalar(
        "select coalesce(max(received), 0) from messaging.received_position where slot = $1",
    )
    .bind(i16::from(slot))
    .fetch_one(harness.consumer.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn an_event_of_another_source_is_refused() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["a"], 1..=1).await;
    harness.wait_for_effects("a", &[1]).await;

    let slot = Slot::of("a").number();
    let evil = Forgery::step("evil-service", "a", 1).at_position(&harness, slot.into(), i64::MAX);
    evil.await.publish(&harness).await;
    let by_name = Forgery::step("evil-service", "a", 2);
    Forgery {
        properties: BasicProperties::default().with_app_id("evil-service".into()),
        ..by_name
    }
    .publish(&harness)
    .await;
    wait_for_reasons(&harness, &["foreign_publisher", "foreign_source"]).await;

    // The honest events are applied, and the forged position is not believed.
    harness.publish_steps(&["a"], 2..=3).await;
    harness.wait_for_effects("a", &[1, 2, 3]).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(received(&harness, slot).await < 10, "the position was believed");
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_message_to_the_queue_needs_a_known_publisher() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["a"], 1..=1).await;
    harness.wait_for_effects("a", &[1]).await;

    let to_queue = |properties: BasicProperties| {
        let queue = format!("consumer.walk.{}", Slot::of("a").number() % 2);
        let forged = Forgery::step("publisher", "a", 2);
        Forgery { exchange: "", routing_key: queue, properties, ..forged }
    };
    for app_id in ["evil-service", "consumer"] {
        let properties = BasicProperties::default().with_app_id(app_id.into());
        to_queue(properties).publish(&harness).await;
    }
    to_queue(BasicProperties::default()).publish(&harness).await;
    wait_for_reasons(&harness, &["foreign_publisher"; 3]).await;
    assert_eq!(harness.effects("a").await, [1]);
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn the_name_of_the_user_must_be_the_publisher() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let forged = Forgery::step("publisher", "a", 1);
    // The broker checks it, so another name proves another user.
    let properties = forged.properties.clone().with_user_id("guest".into());
    Forgery { properties, ..forged }.publish(&harness).await;
    wait_for_reasons(&harness, &["foreign_publisher"]).await;
    assert!(harness.effects("a").await.is_empty());
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}
