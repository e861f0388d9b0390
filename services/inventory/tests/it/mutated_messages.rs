//! Damaged messages through a real broker: each becomes a dead letter with its reason, nothing of them takes effect, and nothing waits
//! behind them.
//!
//! `MUTATED_THROUGH_BROKER` sets how many, and `MUTATED_SEED` the seed of the generator. `messaging` has the same test without a broker, for
//! a million messages.

use std::{collections::BTreeMap, path::Path, time::Instant};

use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    message::Delivery,
    options::{BasicGetOptions, BasicPublishOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng, seq::IndexedRandom as _};
use reqwest::StatusCode;
use runtime::auth::SigningKey;
use serde_json::json;
use service_testkit::{LONGEST_WAIT, events::product_changed};
use sqlx::PgPool;
use testkit::{DataDir, wait_for};
use vocabulary::ProductId;

use crate::suite::{Suite, cancelled, placed, shipped};

/// How many messages are damaged in an ordinary test run.
const DEFAULT_MESSAGES: u32 = 150;

/// The queue that gets a copy of what the other services publish.
const COPIES: &str = "copies";

/// The reasons of messages that are refused because they are not what their publisher has signed.
const REFUSALS: [&str; 5] =
    ["bad_signature", "foreign_publisher", "foreign_source", "not_signed", "unknown_key"];

fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Writes the keys of all services of the test.
fn write_keys(folder: &Path) {
    for service in ["order", "product-catalog", "inventory"] {
        let public = folder.join("public").join(service);
        std::fs::create_dir_all(&public).unwrap();
        let private = folder.join(format!("{service}.key"));
        SigningKey::generate().unwrap().write_pair(private, public.join("first.pub")).unwrap();
    }
}

/// A message, to be published again.
#[derive(Clone)]
struct Message {
    exchange: String,
    routing_key: String,
    app_id: Option<String>,
    headers: BTreeMap<String, AMQPValue>,
    body: Vec<u8>,
}

impl Message {
    fn of(delivery: Delivery) -> Self {
        let headers = delivery.properties.headers().clone().unwrap_or_default();
        let headers = headers.inner().iter().map(|(name, value)| (name.to_string(), value.clone()));
        Self {
            exchange: delivery.exchange.to_string(),
            routing_key: delivery.routing_key.to_string(),
            app_id: delivery.properties.app_id().as_ref().map(ToString::to_string),
            headers: headers.collect(),
            body: delivery.data,
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "damaged messages come from programs without the kit"
    )]
    async fn publish(&self, channel: &Channel) {
        let mut headers = FieldTable::default();
        for (name, value) in &self.headers {
            headers.insert(name.as_str().into(), value.clone());
        }
        let mut properties = BasicProperties::default().with_headers(headers);
        if let Some(app_id) = &self.app_id {
            properties = properties.with_app_id(app_id.as_str().into());
        }
        let (exchange, key) = (self.exchange.as_str().into(), self.routing_key.as_str().into());
        let options = BasicPublishOptions::default();
        channel.basic_publish(exchange, key, options, &self.body, properties).await.unwrap();
    }

    /// Damages one thing. A message that only moves to another exchange, or loses what a signature covers, counts as damaged, too.
    fn mutate(&mut self, others: &[Message], dice: &mut SmallRng) {
        let other = others.choose(dice).unwrap();
        match dice.random_range(0..10_u8) {
            0..=5 => testkit::mutate_json(&mut self.body, &other.body, dice),
            6 => {
                let names: Vec<String> = self.headers.keys().cloned().collect();
                if let Some(name) = names.choose(dice) {
                    self.headers.remove(name);
                }
            }
            7 => {
                let name = ["history", "slot", "position"].choose(dice).copied().unwrap();
                let number = AMQPValue::LongLongInt(testkit::any_number(dice));
                self.headers.insert(name.to_owned(), number);
            }
            8 => {
                let name = ["x-signature", "x-key-id"].choose(dice).copied().unwrap();
                if let Some(value) = other.headers.get(name) {
                    self.headers.insert(name.to_owned(), value.clone());
                }
            }
            _ => {
                let names = [None, Some("inventory"), Some("product-catalog"), Some("order")];
                self.app_id = names.choose(dice).copied().flatten().map(str::to_owned);
            }
        }
    }

    /// Whether another message has the same content, so that it takes effect once, and before. A reminder is a copy of its message: its
    /// purpose is not signed, and neither is the time of publication, which is for metrics.
    fn is_copy_of(&self, other: &Message) -> bool {
        self.body == other.body
            && self.signed_headers().eq(other.signed_headers())
            && self.app_id == other.app_id
    }

    fn signed_headers(&self) -> impl Iterator<Item = (&String, &AMQPValue)> {
        self.headers
            .iter()
            .filter(|(name, _)| !["purpose", "published_at_us"].contains(&name.as_str()))
    }
}

/// Receives and sends messages without the kit.
struct Wire {
    connection: Connection,
    channel: Channel,
}

impl Wire {
    async fn open(suite: &Suite) -> Self {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(suite.amqp_url(), properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(COPIES.into(), options, FieldTable::default()).await.unwrap();
        for exchange in ["order", "product-catalog"] {
            let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
            let bound =
                channel.queue_bind(COPIES.into(), exchange.into(), "#".into(), options, arguments);
            bound.await.unwrap();
        }
        Self { connection, channel }
    }

    /// All messages that have been published so far.
    async fn messages(&self) -> Vec<Message> {
        let options = BasicGetOptions { no_ack: true };
        let mut messages = Vec::new();
        while let Some(got) = self.channel.basic_get(COPIES.into(), options).await.unwrap() {
            messages.push(Message::of(got.delivery));
        }
        messages
    }

    async fn close(self) {
        self.connection.close(200, "done".into()).await.unwrap();
    }
}

/// Everything that the service knows, as a hash.
async fn state(pool: &PgPool) -> String {
    sqlx::query_scalar(
        "select md5(string_agg(query_to_xml(
             format('select * from %I t order by t::text', tablename), true, false, '')::text, '' order by tablename))
         from pg_tables where schemaname = 'public'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// How many dead letters there are for each reason.
async fn reasons(pool: &PgPool) -> BTreeMap<String, i64> {
    let query = "select reason, count(*) from messaging.dead_letter group by reason";
    sqlx::query_as::<_, (String, i64)>(query).fetch_all(pool).await.unwrap().into_iter().collect()
}

/// Waits until these bodies are dead letters.
async fn wait_for_dead_letters(pool: &PgPool, bodies: &[&[u8]]) {
    wait_for("each damaged message is a dead letter", LONGEST_WAIT, async || {
        let missing: Vec<Vec<u8>> = sqlx::query_scalar(
            "select body from unnest($1::bytea[]) body
             where not exists (select from messaging.dead_letter where payload = body)",
        )
        .bind(bodies)
        .fetch_all(pool)
        .await
        .unwrap();
        match missing.first() {
            None => Ok(()),
            Some(first) => {
                Err(format!("{} are missing: {}", missing.len(), String::from_utf8_lossy(first)))
            }
        }
    })
    .await
    .unwrap();
}

/// Events of all kinds, as the other services publish them.
async fn golden_messages(suite: &Suite, wire: &Wire) -> Vec<Message> {
    let product = ProductId::new();
    suite.catalogue.publish(&product_changed(product, 1, &["A", "B"])).await;
    suite.applied.wait(1, |_| true).await;
    for sku in ["A", "B"] {
        let (status, _) = suite.put(&format!("/v1/stock/{sku}"), json!({"on_hand": 100_000})).await;
        assert_eq!(status, StatusCode::OK);
    }
    suite.catalogue.publish(&product_changed(product, 2, &["A", "B"])).await;
    for number in 0..12 {
        let order = placed(&[("A", 1 + number), ("B", 2)]);
        suite.order.publish(&order).await;
        match number % 3 {
            0 => suite.order.publish(&shipped(order.order_id)).await,
            1 => suite.order.publish(&cancelled(order.order_id)).await,
            _ => {}
        }
    }
    suite.order.wait_until_published().await;
    suite.catalogue.wait_until_published().await;
    // All of them have taken effect.
    suite.reserved.wait(12, |_| true).await;
    suite.deducted.wait(4, |_| true).await;
    suite.released.wait(4, |_| true).await;
    suite.applied.wait(2, |_| true).await;
    let messages = wire.messages().await;
    assert!(messages.len() >= 3, "{}", messages.len());
    messages
}

/// Orders of all slots are reserved, and products are read: nothing waits behind the damaged messages.
async fn assert_not_blocked(suite: &Suite) {
    let orders: Vec<_> = (0..40).map(|_| placed(&[("A", 1)])).collect();
    suite.order.publish_all(&orders).await;
    let product = ProductId::new();
    suite.catalogue.publish(&product_changed(product, 1, &["C"])).await;
    for order in &orders {
        suite.reserved.wait_one(|reserved| reserved.order_id == order.order_id).await;
    }
    wait_for("the product is read", LONGEST_WAIT, async || {
        let (status, stock) = suite.get("/v1/stock/C").await;
        if status == StatusCode::OK { Ok(()) } else { Err(stock) }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the output has the figures of the proof")]
async fn mutated_messages_are_dead_letters_without_effect() {
    let count = setting("MUTATED_THROUGH_BROKER", DEFAULT_MESSAGES);
    let seed = u64::from(setting("MUTATED_SEED", 1));
    let keys = DataDir::temporary("mutated-messages").unwrap();
    write_keys(keys.path());
    let suite = Suite::start_signing(keys.path()).await;
    let wire = Wire::open(&suite).await;
    let golden = golden_messages(&suite, &wire).await;
    let before = state(&suite.pool).await;
    assert_eq!(reasons(&suite.pool).await, BTreeMap::new());

    let (mut dice, began) = (SmallRng::seed_from_u64(seed), Instant::now());
    let mut sent = Vec::new();
    for _ in 0..count {
        let original = golden.choose(&mut dice).unwrap();
        let mut message = original.clone();
        for _ in 0..dice.random_range(1..4_u8) {
            message.mutate(&golden, &mut dice);
        }
        message.publish(&wire.channel).await;
        if !message.is_copy_of(original) {
            sent.push(message);
        }
    }
    let bodies: Vec<&[u8]> = sent.iter().map(|message| message.body.as_slice()).collect();
    wait_for_dead_letters(&suite.pool, &bodies).await;
    let elapsed = began.elapsed();
    let found = reasons(&suite.pool).await;
    assert!(found.keys().all(|reason| REFUSALS.contains(&reason.as_str())), "{found:?}");
    assert_eq!(state(&suite.pool).await, before, "a damaged message took effect");
    assert_not_blocked(&suite).await;
    println!("{} damaged of {count}, seed {seed}, in {elapsed:?}: {found:#?}", sent.len());
    wire.close().await;
    let dead_letters = found.values().sum();
    suite.finish(dead_letters).await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the output has the figures of the proof")]
async fn mutated_messages_of_a_faulty_publisher_block_none() {
    let count = setting("MUTATED_THROUGH_BROKER", DEFAULT_MESSAGES);
    let seed = u64::from(setting("MUTATED_SEED", 1));
    let suite = Suite::start().await;
    let wire = Wire::open(&suite).await;
    let golden = golden_messages(&suite, &wire).await;
    let mut dice = SmallRng::seed_from_u64(seed);
    for _ in 0..count {
        let mut message = golden.choose(&mut dice).unwrap().clone();
        // Its position is that of another message, which has arrived.
        message.headers.clear();
        for _ in 0..dice.random_range(1..4_u8) {
            let other = golden.choose(&mut dice).unwrap();
            testkit::mutate_json(&mut message.body, &other.body, &mut dice);
        }
        message.publish(&wire.channel).await;
    }
    assert_not_blocked(&suite).await;
    let found = reasons(&suite.pool).await;
    assert!(found.contains_key("undecodable"), "{found:?}");
    assert!(!found.contains_key("panicked"), "{found:?}");
    println!("{count} messages, seed {seed}: {found:#?}");
    wire.close().await;
}
