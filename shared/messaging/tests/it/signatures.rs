//! Messages are signed, and a subscriber with the keys of its publishers refuses what they have not signed for this place.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use ed25519_dalek::{
    SigningKey,
    pkcs8::{EncodePrivateKey as _, EncodePublicKey as _},
};
use envelope::Slot;
use lapin::{
    Connection, ConnectionProperties,
    message::Delivery,
    options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use messaging::{OnReject, Signatures};
use testkit::{DataDir, wait_for};

use crate::{
    harness::{Harness, TIMEOUT, count},
    provenance::{Forgery, wait_for_reasons},
};

/// A missing message is asked for after two seconds, then with growing delays.
const ASKED: Duration = Duration::from_mins(1);

/// Keys of two services, in a folder each, so that one may know a key before the other.
pub(crate) struct Keys(DataDir);

impl Keys {
    pub(crate) fn new() -> Self {
        let keys = Self(DataDir::temporary("message-keys").unwrap());
        for service in ["publisher", "consumer"] {
            keys.sign_with(service, 1);
            for knowing in ["publisher", "consumer"] {
                keys.add(knowing, service, 1);
            }
        }
        keys
    }

    fn private(&self, service: &str) -> PathBuf {
        self.0.path().join(format!("{service}.key"))
    }

    /// Makes a service sign with the key of this seed.
    pub(crate) fn sign_with(&self, service: &str, seed: u8) {
        let der = key(service, seed).to_pkcs8_der().unwrap();
        let new = self.0.path().join("new");
        fs::write(&new, der.as_bytes()).unwrap();
        fs::rename(new, self.private(service)).unwrap();
    }

    /// The public keys that `knowing` has.
    fn public(&self, knowing: &str) -> PathBuf {
        self.0.path().join(format!("known-to-{knowing}"))
    }

    fn file(&self, knowing: &str, service: &str, seed: u8) -> PathBuf {
        self.public(knowing).join(service).join(format!("{seed}.pub"))
    }

    /// Adds a public key of `service` to those that `knowing` has.
    pub(crate) fn add(&self, knowing: &str, service: &str, seed: u8) {
        let file = self.file(knowing, service, seed);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let der = key(service, seed).verifying_key().to_public_key_der().unwrap();
        fs::write(file, der.as_bytes()).unwrap();
    }

    pub(crate) fn of(&self, service: &'static str) -> Signatures {
        let (private, public) = (self.private(service), self.public(service));
        Signatures::open(service, Some(&private), Some(&public)).unwrap()
    }
}

/// Different services have different keys.
fn key(service: &str, seed: u8) -> SigningKey {
    let mut bytes = [seed; 32];
    bytes[..4].copy_from_slice(&service.as_bytes()[..4]);
    SigningKey::from_bytes(&bytes)
}

/// Both services sign, and refuse what is not signed.
async fn signed(keys: &Keys) -> Harness {
    let mut harness = Harness::open(OnReject::BlockKey).await;
    harness.publisher = harness.publisher.clone().with_signatures(keys.of("publisher"));
    harness.consumer = harness.consumer.clone().with_signatures(keys.of("consumer"));
    harness
}

/// Receives what the publisher publishes from now on.
struct Tap {
    connection: Connection,
    channel: lapin::Channel,
}

impl Tap {
    async fn open(harness: &Harness) -> Self {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(harness.vhost.url(), properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        channel.queue_declare("tap".into(), options, FieldTable::default()).await.unwrap();
        let options = QueueBindOptions::default();
        let bound = channel.queue_bind(
            "tap".into(),
            "publisher".into(),
            "walk.*".into(),
            options,
            FieldTable::default(),
        );
        bound.await.unwrap();
        Self { connection, channel }
    }

    async fn next(&self) -> Delivery {
        let options = BasicGetOptions { no_ack: true };
        let got = wait_for("a message is published", TIMEOUT, async || {
            let got = self.channel.basic_get("tap".into(), options).await.unwrap();
            got.ok_or("nothing")
        });
        got.await.unwrap().delivery
    }

    async fn close(self) {
        self.connection.close(200, "done".into()).await.unwrap();
    }
}

/// A copy of a message, to be published again.
fn copy_of(delivery: &Delivery) -> Forgery {
    Forgery {
        exchange: "publisher",
        routing_key: delivery.routing_key.to_string(),
        properties: delivery.properties.clone(),
        headers: delivery.properties.headers().clone().unwrap(),
        body: delivery.data.clone(),
    }
}

#[tokio::test]
async fn signed_messages_are_applied_and_sent_again() {
    let (keys, walks) = (Keys::new(), ["a", "b", "c"]);
    let harness = signed(&keys).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&walks, 1..=5).await;
    harness.wait_for_total(15).await;

    // The answers to a request are signed, and so is the reminder that shows the loss of the last message.
    consumer.shut_down().await;
    harness.publish_steps(&walks, 6..=6).await;
    harness.wait_until_published().await;
    harness.delete_queues().await;
    let consumer = harness.start_consumer();
    consumer.wait_for_queues().await;
    wait_for("all steps have taken effect", ASKED, async || {
        let total = count(harness.consumer.pool(), "effect").await;
        if total == 18 { Ok(()) } else { Err(total) }
    })
    .await
    .unwrap();

    // So is what an operator publishes again.
    let report = harness.republish(chrono::DateTime::UNIX_EPOCH).await;
    assert!(report.messages > 0);
    harness.assert_drained().await;
    wait_for_reasons(&harness, &[]).await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn what_is_not_signed_for_this_place_is_refused() {
    let keys = Keys::new();
    let harness = signed(&keys).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    consumer.wait_for_queues().await;
    let tap = Tap::open(&harness).await;
    harness.publish_steps(&["a"], 1..=1).await;
    harness.wait_for_effects("a", &[1]).await;
    let genuine = tap.next().await;
    tap.close().await;
    let slot = i64::from(Slot::of("a").number());

    Forgery::step("publisher", "a", 2).at_position(&harness, slot, 2).await.publish(&harness).await;
    wait_for_reasons(&harness, &["not_signed"]).await;

    let mut altered = copy_of(&genuine);
    altered.body.push(b' ');
    altered.publish(&harness).await;
    let mut moved = copy_of(&genuine);
    moved.headers.insert("position".into(), AMQPValue::LongLongInt(2));
    // The body is that of another refused message, so the letter has another route.
    moved.routing_key = format!("walk.{}", (slot + 2) % 16);
    moved.publish(&harness).await;
    let mut invented = copy_of(&genuine);
    invented.headers.insert("x-key-id".into(), AMQPValue::LongString("0123456789abcdef".into()));
    invented.publish(&harness).await;
    wait_for_reasons(&harness, &["bad_signature", "bad_signature", "not_signed", "unknown_key"])
        .await;

    // A copy in its place is a duplicate.
    copy_of(&genuine).publish(&harness).await;
    harness.publish_steps(&["a"], 2..=3).await;
    harness.wait_for_effects("a", &[1, 2, 3]).await;
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn signatures_are_switched_on_without_a_loss() {
    let keys = Keys::new();
    let mut harness = Harness::open(OnReject::BlockKey).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    consumer.wait_for_queues().await;
    harness.publish_steps(&["a", "b"], 1..=2).await;
    harness.wait_for_total(4).await;
    consumer.shut_down().await;
    // These wait in the queue, unsigned.
    harness.publish_steps(&["a", "b"], 3..=4).await;
    harness.wait_until_published().await;
    publisher.shut_down().await;

    harness.publisher = harness.publisher.clone().with_signatures(keys.of("publisher"));
    harness.consumer = harness.consumer.clone().with_signatures(keys.of("consumer"));
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["a", "b"], 5..=5).await;
    // The consumer asks for what it has refused, and the publisher signs it.
    wait_for("all steps have taken effect", ASKED, async || {
        let (a, b) = (harness.effects("a").await, harness.effects("b").await);
        if a == [1, 2, 3, 4, 5] && b == a { Ok(()) } else { Err(format!("{a:?} {b:?}")) }
    })
    .await
    .unwrap();
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_message_of_an_unknown_key_is_asked_for_again() {
    let keys = Keys::new();
    let harness = signed(&keys).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["a"], 1..=1).await;
    harness.wait_for_effects("a", &[1]).await;
    // An operator forgets to give the new public key to the consumer.
    keys.add("publisher", "publisher", 2);
    keys.sign_with("publisher", 2);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    harness.publish_steps(&["a"], 2..=2).await;
    wait_for("the message is refused", TIMEOUT, async || {
        let letters = count(harness.consumer.pool(), "messaging.dead_letter").await;
        if letters > 0 { Ok(()) } else { Err(letters) }
    })
    .await
    .unwrap();
    assert_eq!(harness.effects("a").await, [1]);

    keys.add("consumer", "publisher", 2);
    harness.publish_steps(&["a"], 3..=3).await;
    wait_for("all steps have taken effect", ASKED, async || {
        let effects = harness.effects("a").await;
        if effects == [1, 2, 3] { Ok(()) } else { Err(format!("{effects:?}")) }
    })
    .await
    .unwrap();
    harness.assert_drained().await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn keys_rotate_under_load_without_a_refusal() {
    let (keys, walks) = (Keys::new(), ["a", "b", "c", "d"]);
    let harness = signed(&keys).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    let over = AtomicBool::new(false);
    let publishing = harness.publish_steps_until(&over, Duration::from_millis(20), &walks);
    let rotating = async {
        for seed in 2..5 {
            for knowing in ["publisher", "consumer"] {
                keys.add(knowing, "publisher", seed);
            }
            keys.sign_with("publisher", seed);
            tokio::time::sleep(Duration::from_millis(1_500)).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    let (last, ()) = tokio::join!(publishing, rotating);
    harness.wait_for_total(last * 4).await;
    harness.assert_effects(&walks.map(str::to_owned), last).await;
    harness.assert_drained().await;
    wait_for_reasons(&harness, &[]).await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn an_invented_request_is_refused() {
    let keys = Keys::new();
    let harness = signed(&keys).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    harness.publish_steps(&["a"], 1..=1).await;
    harness.wait_for_effects("a", &[1]).await;
    let history = || async {
        let began =
            "select (extract(epoch from began_at) * 1000000)::bigint from messaging.history";
        sqlx::query_scalar::<_, i64>(began).fetch_one(harness.publisher.pool()).await.unwrap()
    };
    let before = history().await;
    // The publisher would begin a new history if it believed that a subscriber knows this position.
    let slot = Slot::of("a").number();
    let body = format!(
        r#"{{"subscriber":"consumer","aggregate":"walk","slot":{slot},"history":{before},"ranges":[{{"first":1000,"last":1000}}]}}"#
    );
    let forged = Forgery::step("consumer", "a", 1);
    let request = Forgery {
        exchange: "",
        routing_key: "publisher.requests".to_owned(),
        properties: lapin::BasicProperties::default().with_app_id("consumer".into()),
        body: body.into_bytes(),
        ..forged
    };
    request.publish(&harness).await;
    // The queue of requests is empty when the relay has read it.
    harness.assert_drained().await;
    harness.publish_steps(&["a"], 2..=2).await;
    harness.wait_for_effects("a", &[1, 2]).await;
    assert_eq!(history().await, before);
    wait_for_reasons(&harness, &[]).await;
    publisher.shut_down().await;
    consumer.shut_down().await;
}

/// A service whose key cannot be used does not start.
#[test]
fn a_service_without_its_key_is_refused() {
    let keys = Keys::new();
    let missing = Path::new("/nonexistent/order.key");
    let error = Signatures::open("publisher", Some(missing), None).unwrap_err();
    assert_eq!(error.to_string(), "/nonexistent/order.key cannot be read");
    keys.sign_with("publisher", 9);
    let (private, public) = (keys.private("publisher"), keys.public("publisher"));
    let error = Signatures::open("publisher", Some(&private), Some(&public)).unwrap_err();
    assert!(error.to_string().contains("add it before publisher signs with it"), "{error}");
}
