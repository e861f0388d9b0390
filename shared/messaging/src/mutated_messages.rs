//! Damaged and forged messages: none is believed, each is refused with a reason, and none ends the consumer.
//!
//! The messages are the golden ones of all contracts. A seeded generator changes bodies, headers and routes. `MUTATED_MESSAGES` sets how
//! many; the proof `mutated-messages` has a million.

use std::{
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path as FilePath, PathBuf},
    time::Instant,
};

use contracts::{
    behavior::{ErasureCompletedV1, PopularityChangedV1},
    catalog::{
        ProductChangedV1, ProductDeletedV1, RuleChangedV1, RuleRemovedV1, StockCountedV1,
        SynonymsChangedV1,
    },
    inventory::{
        StockAvailabilityChangedV1, StockChangedV1, StockDeductedV1, StockLowV1, StockRejectedV1,
        StockReleasedV1, StockReservedV1,
    },
    order::{
        CustomerErasedV1, OrderCancelledV1, OrderConfirmedV1, OrderDeliveredV1, OrderExpiredV1,
        OrderLineCancelledV1, OrderParcelShippedV1, OrderPaymentFailedV1, OrderPlacedV1,
        OrderRejectedV1, OrderReturnReceivedV1, OrderShippedV1,
    },
    receipts::{ProductAppliedV1, ProductFailedV1},
    schema,
};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{EncodePrivateKey as _, EncodePublicKey as _},
};
use envelope::{Envelope, Event};
use lapin::{
    message::Delivery,
    protocol::BasicProperties,
    types::{AMQPValue, FieldTable},
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng, seq::IndexedRandom as _};
use testkit::DataDir;

use crate::{
    consume::{
        message_reader::MessageReader,
        subscription::{OnReject, Subscription},
    },
    message_position::{MessagePosition, Purpose, add_headers, of_delivery},
    signatures::{Content, MessageSignature, Signatures},
};

/// How many messages are changed in an ordinary test run.
const DEFAULT_MESSAGES: u32 = 2_000;

/// The reasons of messages that are refused as a whole.
const REFUSALS: [&str; 5] =
    ["foreign_publisher", "foreign_source", "not_signed", "unknown_key", "bad_signature"];

/// The reasons of single events that cannot be read.
const UNREADABLE: [&str; 2] = ["undecodable", "foreign_aggregate"];

/// What the kit does with an event that was read: it is handled, parked, or becomes a dead letter.
const DECODED: [&str; 3] = ["accepted", "unknown_type", "invalid_data"];

const POSITION: MessagePosition =
    MessagePosition { history: 1_700_000_000_000_000, slot: 3, number: 42 };

/// What the kit does with the data of an event before it calls the handler. The result is the type of the event.
type Decode = fn(&Envelope) -> Result<(), String>;

fn decode<E: Event>(envelope: &Envelope) -> Result<(), String> {
    envelope.data::<E>().map(|_| ()).map_err(|error| error.to_string())
}

/// The types, aggregates and decoders of all events.
fn contracts() -> BTreeMap<&'static str, (&'static str, Decode)> {
    macro_rules! all {
        ($($event:ty),* $(,)?) => {
            [$((<$event>::TYPE, (<$event>::AGGREGATE, decode::<$event> as Decode))),*]
        };
    }
    let all = all![
        ProductChangedV1,
        ProductDeletedV1,
        StockCountedV1,
        SynonymsChangedV1,
        RuleChangedV1,
        RuleRemovedV1,
        OrderPlacedV1,
        OrderConfirmedV1,
        OrderParcelShippedV1,
        OrderShippedV1,
        OrderDeliveredV1,
        OrderReturnReceivedV1,
        OrderRejectedV1,
        OrderPaymentFailedV1,
        OrderExpiredV1,
        OrderCancelledV1,
        OrderLineCancelledV1,
        CustomerErasedV1,
        StockReservedV1,
        StockRejectedV1,
        StockReleasedV1,
        StockDeductedV1,
        StockChangedV1,
        StockAvailabilityChangedV1,
        StockLowV1,
        ProductAppliedV1,
        ProductFailedV1,
        PopularityChangedV1,
        ErasureCompletedV1,
    ];
    let all = BTreeMap::from(all);
    let named: Vec<&str> = schema::events().iter().map(|contract| contract.kind.name).collect();
    assert!(named.iter().all(|name| all.contains_key(name)), "{named:?}");
    all
}

/// A message that its publisher has published.
struct Golden {
    publisher: &'static str,
    aggregate: &'static str,
    body: Vec<u8>,
    signature: MessageSignature,
    reader: MessageReader,
    /// The same without keys: what a subscriber reads that checks no signatures, and what is read of a publisher with a fault.
    trusting: MessageReader,
}

/// A message as it arrives.
#[derive(Clone)]
struct Message {
    exchange: String,
    routing_key: String,
    app_id: Option<String>,
    user_id: Option<String>,
    headers: BTreeMap<String, AMQPValue>,
    body: Vec<u8>,
}

impl Message {
    fn of(golden: &Golden) -> Self {
        let mut headers = FieldTable::default();
        add_headers(&mut headers, POSITION, Purpose::New);
        golden.signature.add_headers(&mut headers);
        let headers = headers.inner().iter().map(|(name, value)| (name.to_string(), value.clone()));
        Self {
            exchange: golden.publisher.to_owned(),
            routing_key: format!("{}.3", golden.aggregate),
            app_id: Some(golden.publisher.to_owned()),
            user_id: None,
            headers: headers.collect(),
            body: golden.body.clone(),
        }
    }

    fn delivery(&self) -> Delivery {
        let short = |text: &str| text.chars().take(60).collect::<String>().into();
        let mut delivery = Delivery::mock(
            1,
            short(&self.exchange),
            short(&self.routing_key),
            false,
            self.body.clone(),
        );
        let mut headers = FieldTable::default();
        for (name, value) in &self.headers {
            headers.insert(short(name), value.clone());
        }
        let mut properties = BasicProperties::default().with_headers(headers);
        if let Some(name) = &self.app_id {
            properties = properties.with_app_id(short(name));
        }
        if let Some(name) = &self.user_id {
            properties = properties.with_user_id(short(name));
        }
        delivery.properties = properties;
        delivery
    }
}

/// All golden messages, each signed by its publisher.
fn golden_messages(keys: &DataDir) -> Vec<Golden> {
    let contracts = contracts();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../contracts/golden");
    let mut names: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut found = Vec::new();
    for name in names {
        let body = fs::read(&name).unwrap();
        // User events go to a stream, without an envelope.
        let Ok(events) = envelope::decode_batch(&body) else { continue };
        let Some((aggregate, _)) = contracts.get(events[0].kind.as_str()) else { continue };
        let publisher: &'static str = events[0].source.clone().leak();
        found.push(golden(keys.path(), publisher, aggregate, body));
    }
    assert!(found.len() >= contracts.len(), "{} golden messages", found.len());
    found
}

fn golden(
    keys: &FilePath,
    publisher: &'static str,
    aggregate: &'static str,
    body: Vec<u8>,
) -> Golden {
    let private = keys.join(format!("{publisher}.key"));
    let public = keys.join("public").join(publisher);
    if !private.exists() {
        let mut seed = [7; 32];
        seed.iter_mut().zip(publisher.bytes()).for_each(|(byte, letter)| *byte = letter);
        let key = SigningKey::from_bytes(&seed);
        fs::create_dir_all(&public).unwrap();
        fs::write(&private, key.to_pkcs8_der().unwrap().as_bytes()).unwrap();
        let spki = key.verifying_key().to_public_key_der().unwrap();
        fs::write(public.join("first.pub"), spki.as_bytes()).unwrap();
    }
    let folder = keys.join("public");
    let signer = Signatures::open(publisher, Some(&private), Some(&folder)).unwrap();
    let content = Content::Events { aggregate, position: POSITION };
    let signature = signer.sign(content, &body).unwrap();
    let subscription = Subscription::to(aggregate, [publisher], OnReject::Continue);
    let reader = |signatures: &Signatures| {
        let queue = format!("subscriber.{aggregate}.1");
        MessageReader::of_queue("subscriber", &queue, &subscription, signatures)
    };
    let strict = Signatures::open("subscriber", None, Some(&folder)).unwrap();
    let (reader, trusting) = (reader(&strict), reader(&Signatures::none()));
    Golden { publisher, aggregate, body, signature, reader, trusting }
}

/// Changes one thing of a message.
fn mutate(message: &mut Message, others: &[Golden], dice: &mut SmallRng) {
    match dice.random_range(0..14_u8) {
        0..=7 => {
            let other = others.choose(dice).map_or(&[][..], |other| &other.body);
            testkit::mutate_json(&mut message.body, other, dice);
        }
        8 => {
            let names: Vec<String> = message.headers.keys().cloned().collect();
            if let Some(name) = names.choose(dice) {
                message.headers.remove(name);
            }
        }
        9 | 10 => {
            let names = [
                "history",
                "slot",
                "position",
                "purpose",
                "until",
                "x-signature",
                "x-key-id",
                "x-first-death-exchange",
            ];
            let name = names.choose(dice).copied().unwrap_or_default();
            message.headers.insert(name.to_owned(), any_value(dice));
        }
        11 => {
            // A header of another message, such as its signature.
            if let Some(other) = others.choose(dice) {
                let other = Message::of(other);
                let name = ["x-signature", "x-key-id"].choose(dice).copied().unwrap_or_default();
                message.headers.insert(name.to_owned(), other.headers[name].clone());
            }
        }
        12 => message.exchange = any_name(others, dice),
        _ => {
            let name = Some(any_name(others, dice)).filter(|_| dice.random_bool(0.8));
            if dice.random_bool(0.5) { message.app_id = name } else { message.user_id = name }
        }
    }
}

fn any_name(others: &[Golden], dice: &mut SmallRng) -> String {
    let names = ["", "evil", "order\0", "ORDER", "订单"];
    match others.choose(dice) {
        Some(other) if dice.random_bool(0.5) => other.publisher.to_owned(),
        _ => names.choose(dice).copied().unwrap_or_default().to_owned(),
    }
}

fn any_value(dice: &mut SmallRng) -> AMQPValue {
    let texts: [&[u8]; 9] = [
        b"",
        b"again",
        b"reminder",
        b"expired",
        b"unknown",
        b"unused",
        b"\xff\xfe",
        b"AAAA",
        b"order",
    ];
    match dice.random_range(0..8_u8) {
        0..=2 => AMQPValue::LongLongInt(testkit::any_number(dice)),
        3..=5 => AMQPValue::LongString(texts.choose(dice).copied().unwrap_or_default().into()),
        6 => AMQPValue::Boolean(dice.random()),
        _ => AMQPValue::Void,
    }
}

/// What became of a message: `accepted`, or the reason of the dead letter.
fn outcome(
    contracts: &BTreeMap<&str, (&str, Decode)>,
    reader: &MessageReader,
    message: &Message,
    delivery: &Delivery,
) -> Vec<&'static str> {
    let read = reader.read(delivery).unwrap();
    let is_refused = |reason: &str| REFUSALS.contains(&reason);
    let reasons: Vec<&'static str> = read
        .parts
        .iter()
        .map(|part| match part {
            Ok(event) => {
                let decode = contracts.get(event.envelope.kind.as_str());
                match decode.map(|(_, decode)| decode(&event.envelope)) {
                    None => "unknown_type",
                    Some(Ok(())) => "accepted",
                    Some(Err(cause)) => {
                        assert!(cause.contains(event.envelope.kind.as_str()), "{cause}");
                        "invalid_data"
                    }
                }
            }
            Err((_, unreadable)) => {
                assert!(!unreadable.causes.is_empty(), "a dead letter without a cause");
                let whole = unreadable.payload == message.body;
                assert!(whole || !is_refused(unreadable.reason), "the payload is the message");
                unreadable.reason
            }
        })
        .collect();
    if reasons.iter().any(|reason| is_refused(reason)) {
        assert_eq!(reasons.len(), 1, "nothing of a refused message is believed");
        assert!(read.position.is_none(), "a refused message has no position");
    }
    reasons
}

/// Whether the message is the one that was published, for the checks of the reader.
fn is_genuine(golden: &Golden, message: &Message, delivery: &Delivery) -> bool {
    let arrived = of_delivery(delivery);
    let is_here = arrived.is_some_and(|arrived| {
        arrived.position == POSITION && !matches!(arrived.purpose, Purpose::Absent { .. })
    });
    is_here
        && message.body == golden.body
        && (message.exchange == golden.publisher || message.exchange.is_empty())
        && MessageSignature::of_delivery(delivery).as_ref() == Some(&golden.signature)
}

#[test]
#[expect(clippy::print_stdout, reason = "the output has the figures of the proof")]
fn mutated_messages_are_refused_with_their_reason() {
    let count = std::env::var("MUTATED_MESSAGES").ok().and_then(|text| text.parse().ok());
    let count: u32 = count.unwrap_or(DEFAULT_MESSAGES);
    let seed = std::env::var("MUTATED_SEED").ok().and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or(1);
    let keys = DataDir::temporary("mutated-messages").unwrap();
    let (all, contracts) = (golden_messages(&keys), contracts());
    for golden in &all {
        let message = Message::of(golden);
        let found = outcome(&contracts, &golden.reader, &message, &message.delivery());
        assert_eq!(found, ["accepted"], "{} of {}", golden.aggregate, golden.publisher);
    }
    let mut dice = SmallRng::seed_from_u64(seed);
    let mut outcomes: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
    let began = Instant::now();
    for number in 0..count {
        let golden = all.choose(&mut dice).unwrap();
        let mut message = Message::of(golden);
        for _ in 0..dice.random_range(1..4_u8) {
            mutate(&mut message, &all, &mut dice);
        }
        let delivery = message.delivery();
        let mut read = |name, reader| {
            let read =
                catch_unwind(AssertUnwindSafe(|| outcome(&contracts, reader, &message, &delivery)));
            let read = read.unwrap_or_else(|_| {
                panic!("seed {seed}, message {number}: {}", String::from_utf8_lossy(&message.body))
            });
            for reason in &read {
                assert!(
                    DECODED.contains(reason)
                        || REFUSALS.contains(reason)
                        || UNREADABLE.contains(reason),
                    "{reason}"
                );
                *outcomes.entry(name).or_default().entry(reason).or_default() += 1;
            }
            read
        };
        let signed = read("signed", &golden.reader);
        read("unsigned", &golden.trusting);
        // A signature is worth nothing if a changed message has an effect.
        let is_accepted = signed.is_empty() || signed.iter().any(|found| DECODED.contains(found));
        assert_eq!(
            is_accepted,
            is_genuine(golden, &message, &delivery) && is_named_well(golden, &message),
            "seed {seed}, message {number}: {signed:?}"
        );
    }
    let per_second = f64::from(count) / began.elapsed().as_secs_f64();
    println!("{count} messages, seed {seed}, {per_second:.0} per second: {outcomes:#?}");
}

/// Whether no property names another publisher.
fn is_named_well(golden: &Golden, message: &Message) -> bool {
    let names = [&message.app_id, &message.user_id];
    names.into_iter().flatten().all(|name| name == golden.publisher)
}
