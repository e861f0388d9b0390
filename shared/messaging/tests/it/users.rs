//! Each service works with a user of the broker that may do only what its topology names.

use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions},
    types::FieldTable,
};
use messaging::{
    MessagingRuntime, OnReject, Topology, declarations::Declarations, definitions::definitions,
};
use serde_json::Value;
use testkit::wait_for;

use crate::{
    harness::{Harness, Running, TIMEOUT, count},
    provenance::wait_for_reasons,
};

/// Users of a broker are not of a vhost, so tests that run at the same time share them.
const PASSWORD: &str = "only-for-tests";

/// The address of the harness for another user.
fn url_of(harness: &Harness, user: &str) -> String {
    let (scheme, rest) = harness.vhost.url().split_once("://").unwrap();
    let (_, host) = rest.rsplit_once('@').unwrap();
    format!("{scheme}://{user}:{PASSWORD}@{host}")
}

fn declarations(harness: &Harness) -> [Declarations; 2] {
    [Harness::publisher_topology().declarations(), harness.consumer_topology().declarations()]
}

/// Loads the definitions of both services, and creates their users.
async fn load(harness: &Harness) -> Value {
    let (management, vhost) = (harness.vhost.management(), harness.vhost.name());
    for user in ["publisher", "consumer"] {
        management.create_user(user, PASSWORD, "").await.unwrap();
    }
    let definitions = definitions(&declarations(harness), &[], vhost);
    management.import(&definitions).await.unwrap();
    definitions
}

fn start_consumer(harness: &Harness, topology: Topology) -> Running {
    let url = url_of(harness, "consumer");
    Running::start(MessagingRuntime::new(harness.consumer.clone(), url, topology))
}

/// Why the broker refuses to publish as this user; `None` if it does not.
#[expect(clippy::disallowed_methods, reason = "an intruder does not use the kit")]
async fn publish_as(harness: &Harness, user: &str, exchange: &str, key: &str) -> Option<String> {
    let (connection, channel) = channel_of(harness, user).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let published = channel.basic_publish(
        exchange.into(),
        key.into(),
        BasicPublishOptions::default(),
        b"[]",
        BasicProperties::default(),
    );
    let refused = match published.await {
        Ok(confirm) => confirm.await.err(),
        Err(error) => Some(error),
    };
    let _ = connection.close(200, "done".into()).await;
    refused.map(|error| error.to_string())
}

async fn channel_of(harness: &Harness, user: &str) -> (Connection, lapin::Channel) {
    let url = url_of(harness, user);
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

#[tokio::test]
async fn services_work_with_their_own_users() {
    let harness = Harness::open(OnReject::BlockKey).await;
    load(&harness).await;
    let walks = ["a", "b", "c"];
    let publisher = harness.start_publisher_at(&url_of(&harness, "publisher"));
    let consumer = start_consumer(&harness, harness.consumer_topology());
    harness.publish_steps(&walks, 1..=5).await;
    harness.wait_for_total(15).await;

    // What was lost is asked for, and answered. The consumer declares its deleted queues itself.
    consumer.shut_down().await;
    harness.publish_steps(&walks, 6..=6).await;
    harness.wait_until_published().await;
    harness.delete_queues().await;
    let consumer = start_consumer(&harness, harness.consumer_topology());
    consumer.wait_for_queues().await;
    harness.publish_steps(&walks, 7..=7).await;
    wait_for("all steps have taken effect", TIMEOUT * 2, async || {
        let total = count(harness.consumer.pool(), "effect").await;
        if total == 21 { Ok(()) } else { Err(total) }
    })
    .await
    .unwrap();
    harness.assert_drained().await;
    wait_for_reasons(&harness, &[]).await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_user_may_do_nothing_else() {
    let harness = Harness::open(OnReject::BlockKey).await;
    load(&harness).await;
    let refused = "ACCESS_REFUSED";
    for (user, exchange, key) in [
        ("consumer", "publisher", "walk.1"),
        ("consumer", "publisher.unrouted", ""),
        // By name it would reach any queue.
        ("consumer", "", "publisher.unrouted"),
        ("publisher", "", "consumer.walk.0"),
        ("publisher", "consumer", "receipt.1"),
    ] {
        let error = publish_as(&harness, user, exchange, key).await.unwrap_or_default();
        assert!(error.contains(refused), "{user} to {exchange:?} {key}: {error}");
    }
    assert_eq!(publish_as(&harness, "publisher", "publisher", "walk.1").await, None);
    assert_eq!(publish_as(&harness, "consumer", "publisher.requests", "").await, None);

    for (user, queue) in [
        ("publisher", "consumer.walk.0"),
        ("consumer", "publisher.requests"),
        ("consumer", "publisher.unrouted"),
    ] {
        let (_connection, channel) = channel_of(&harness, user).await;
        let read = channel.basic_get(queue.into(), BasicGetOptions::default()).await;
        let error = read.unwrap_err().to_string();
        assert!(error.contains(refused), "{user} reads {queue}: {error}");
    }
    let (_connection, channel) = channel_of(&harness, "publisher").await;
    let bound = channel.queue_bind(
        "publisher.unrouted".into(),
        "consumer".into(),
        "#".into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    let error = bound.await.unwrap_err().to_string();
    assert!(error.contains(refused), "the exchange of the consumer is read: {error}");
}

#[tokio::test]
async fn another_user_cannot_use_the_name_of_a_service() {
    let harness = Harness::open(OnReject::BlockKey).await;
    load(&harness).await;
    let (connection, channel) = channel_of(&harness, "publisher").await;
    #[expect(clippy::disallowed_methods, reason = "an intruder does not use the kit")]
    let published = channel.basic_publish(
        "publisher".into(),
        "walk.1".into(),
        BasicPublishOptions::default(),
        b"[]",
        BasicProperties::default().with_user_id("consumer".into()),
    );
    drop(published.await);
    wait_for("the broker refuses the name", TIMEOUT, async || {
        if channel.status().connected() { Err("not yet") } else { Ok(()) }
    })
    .await
    .unwrap();
    drop(connection);
}

#[tokio::test]
async fn a_user_with_too_little_is_named() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let mut definitions = load(&harness).await;
    for permissions in definitions["permissions"].as_array_mut().unwrap() {
        if permissions["user"] == "publisher" {
            permissions["write"] = "^$".into();
        }
    }
    harness.vhost.management().import(&definitions).await.unwrap();
    let publisher = harness.start_publisher_at(&url_of(&harness, "publisher"));
    harness.publish_steps(&["a"], 1..=1).await;
    wait_for("the failure is reported", TIMEOUT, async || {
        let reason = publisher.status().publisher_down.unwrap_or_default();
        let is_named = reason.contains("ACCESS_REFUSED") && reason.contains("'publisher'");
        if is_named { Ok(()) } else { Err(reason) }
    })
    .await
    .unwrap();
    // What was accepted is kept, and is published when the user has its rights.
    load(&harness).await;
    let consumer = start_consumer(&harness, harness.consumer_topology());
    harness.wait_for_effects("a", &[1]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_missing_exchange_of_a_publisher_is_named() {
    let harness = Harness::open(OnReject::BlockKey).await;
    let management = harness.vhost.management();
    management.create_user("consumer", PASSWORD, "").await.unwrap();
    let own = [harness.consumer_topology().declarations()];
    let mut definitions = definitions(&own, &[], harness.vhost.name());
    definitions["exchanges"] = Value::Array(Vec::new());
    definitions["queues"] = Value::Array(Vec::new());
    definitions["bindings"] = Value::Array(Vec::new());
    management.import(&definitions).await.unwrap();
    let vhost = harness.vhost.name();
    management.delete_object("exchanges", vhost, "publisher").await.unwrap();
    let consumer = start_consumer(&harness, harness.consumer_topology());
    wait_for("the failure is reported", TIMEOUT, async || {
        let reason = consumer.status().consumer_down.unwrap_or_default();
        if reason.contains("the exchange publisher") { Ok(()) } else { Err(reason) }
    })
    .await
    .unwrap();
    consumer.shut_down().await;
}
