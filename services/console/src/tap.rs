//! Overhears the events of all services for the live page, and only while somebody looks at it: a queue of the console's own,
//! bounded, gone with its connection. What flows within a tenth of a second is told as one bundle, so that a browser gets ten
//! bundles a second at most, however fast the events are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use rand::Rng as _;
use runtime::config::Secret;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::config::SERVICES;
use crate::ops::Watching;

/// How long any single answer of the broker may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How long what flows is gathered before it is told.
const BUNDLE: Duration = Duration::from_millis(100);
/// How many messages of a bundle are told one by one; the others are counted.
const TOLD: usize = 40;
/// How many kinds of events of a bundle are counted apart.
const KINDS: usize = 64;
/// How many messages the tap's queue holds before the oldest go.
const QUEUE_LENGTH: i32 = 10_000;
/// How many messages may be on their way to us. lapin holds deliveries without a bound of its own.
const PREFETCH: u16 = 512;
/// After how many messages they are acknowledged, all at once.
const ACKNOWLEDGE: u16 = 128;
/// How often the bindings are looked after: an exchange may come late, or anew.
const LOOK_AFTER: Duration = Duration::from_secs(2);
/// The first pause after the broker was lost; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Why the tap hears nothing.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The broker refused or was out of reach.
    #[error("the broker failed")]
    Broker(#[from] lapin::Error),
    /// The broker did not answer.
    #[error("{0} took longer than {ANSWER:?}")]
    Silent(&'static str),
    /// The broker ended the consumer.
    #[error("the broker ended the consumer")]
    Ended,
}

/// What flowed within a moment.
#[derive(Debug, Default, Serialize)]
pub struct Flow {
    /// How many messages.
    messages: u64,
    /// How many events in them.
    events: u64,
    /// Events by type.
    kinds: BTreeMap<String, u64>,
    /// Events by exchange.
    exchanges: BTreeMap<String, u64>,
    /// The first messages, one by one, oldest first.
    items: Vec<Overheard>,
    /// How many messages are not among the items.
    omitted: u64,
}

/// One message.
#[derive(Debug, Serialize)]
struct Overheard {
    /// When its first event happened; when it was overheard, where it cannot be read.
    time: String,
    exchange: String,
    routing_key: String,
    /// The type of its first event; none where it cannot be read.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// How many further types are in it.
    more_types: usize,
    /// What its first event is about.
    subject: Option<String>,
    /// How many events are in it.
    events: u64,
}

/// The attributes of an event that are told; everything else in it is passed over unread.
#[derive(Deserialize)]
struct Heading<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

impl Flow {
    fn is_empty(&self) -> bool {
        self.messages == 0
    }

    fn add(&mut self, exchange: &str, routing_key: &str, body: &[u8]) {
        let headings: Vec<Heading<'_>> = serde_json::from_slice(body).unwrap_or_default();
        let events = u64::try_from(headings.len()).unwrap_or(u64::MAX);
        self.messages += 1;
        self.events += events;
        *self.exchanges.entry(exchange.to_owned()).or_default() += events;
        for heading in &headings {
            if let Some(count) = self.kinds.get_mut(&*heading.kind) {
                *count += 1;
            } else if self.kinds.len() < KINDS {
                self.kinds.insert(heading.kind.clone().into_owned(), 1);
            }
        }
        if self.items.len() >= TOLD {
            self.omitted += 1;
            return;
        }
        let mut kinds: Vec<&str> = headings.iter().map(|heading| &*heading.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let first = headings.first();
        self.items.push(Overheard {
            time: first.map_or_else(
                || runtime::clock::now().to_rfc3339(),
                |heading| heading.time.clone().into_owned(),
            ),
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
            kind: first.map(|heading| heading.kind.clone().into_owned()),
            more_types: kinds.len().saturating_sub(1),
            subject: first.map(|heading| heading.subject.clone().into_owned()),
            events,
        });
    }
}

/// Overhears for as long as the process lives: waits for somebody to look, listens until nobody does, and comes back with a
/// growing pause when the broker is lost.
pub async fn run(
    amqp_url: Secret,
    watching: Watching,
    flows: broadcast::Sender<Arc<str>>,
    stopping: CancellationToken,
) -> Result<(), Infallible> {
    let overhearing = async {
        let mut pause = FIRST_PAUSE;
        loop {
            watching.somebody().await;
            let begun = Instant::now();
            match listen(&amqp_url, &watching, &flows).await {
                Ok(()) => watching.broker(false, &[], None),
                Err(error) => {
                    let cause = problem::chain(&error);
                    tracing::warn!(error = cause, "the tap lost the broker");
                    watching.broker(false, &[], Some(error.to_string()));
                    if begun.elapsed() > LONGEST_PAUSE {
                        pause = FIRST_PAUSE;
                    }
                    let jitter = rand::rng().random_range(0.75..1.25);
                    tokio::time::sleep(pause.mul_f64(jitter)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    };
    stopping.run_until_cancelled(overhearing).await;
    Ok(())
}

/// One connection's life. Ends without an error when nobody looks any more.
async fn listen(
    amqp_url: &Secret,
    watching: &Watching,
    flows: &broadcast::Sender<Arc<str>>,
) -> Result<(), TapError> {
    let connection = connect(amqp_url, "console: tap").await?;
    let channel = within("opening a channel", connection.create_channel()).await?;
    let qos = channel.basic_qos(PREFETCH, BasicQosOptions::default());
    within("limiting deliveries", qos).await?;
    let queue = own_queue(&channel).await?;
    let consuming = channel.basic_consume(
        queue.clone(),
        "".into(),
        BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() },
        FieldTable::default(),
    );
    let mut deliveries = within("consuming", consuming).await?;

    let mut looks = tokio::time::interval(LOOK_AFTER);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut flow = Flow::default();
    let mut due = Instant::now();
    let mut unacknowledged = Unacknowledged::default();
    loop {
        tokio::select! {
            delivery = deliveries.next() => {
                let delivery = delivery.ok_or(TapError::Ended)??;
                if flow.is_empty() {
                    due = Instant::now() + BUNDLE;
                }
                flow.add(delivery.exchange.as_str(), delivery.routing_key.as_str(), &delivery.data);
                unacknowledged.count(delivery);
                if unacknowledged.0 >= ACKNOWLEDGE {
                    unacknowledged.acknowledge().await?;
                }
            }
            () = tokio::time::sleep_until(due), if !flow.is_empty() => {
                unacknowledged.acknowledge().await?;
                // Nobody listening is no error: they may have just left.
                let _ = flows.send(serde_json::to_string(&std::mem::take(&mut flow)).unwrap_or_default().into());
            }
            _ = looks.tick() => {
                if watching.nobody() {
                    return Ok(());
                }
                let heard = bind(&connection, &channel, &queue).await?;
                watching.broker(true, &heard, None);
            }
        }
    }
}

/// How many deliveries are not acknowledged yet, and the last of them, which stands for all.
#[derive(Default)]
struct Unacknowledged(u16, Option<Delivery>);

impl Unacknowledged {
    fn count(&mut self, delivery: Delivery) {
        self.0 += 1;
        self.1 = Some(delivery);
    }

    async fn acknowledge(&mut self) -> Result<(), TapError> {
        self.0 = 0;
        let Some(last) = self.1.take() else { return Ok(()) };
        within("acknowledging", last.ack(BasicAckOptions { multiple: true })).await.map(drop)
    }
}

/// A queue that only this connection sees, that goes with it, and that drops the oldest where we are too slow.
async fn own_queue(channel: &Channel) -> Result<ShortString, TapError> {
    let mut arguments = FieldTable::default();
    // Said outright, for a vhost may make another type by default, and no other can be exclusive.
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(QUEUE_LENGTH));
    arguments.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
    let options = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    let declared = channel.queue_declare("".into(), options, arguments);
    Ok(within("declaring a queue", declared).await?.name().clone())
}

/// Binds the queue to every exchange that is there, and answers which are. Binding again changes nothing.
async fn bind(
    connection: &Connection,
    channel: &Channel,
    queue: &ShortString,
) -> Result<Vec<&'static str>, TapError> {
    let mut heard = Vec::new();
    let mut probe = within("opening a channel", connection.create_channel()).await?;
    for exchange in SERVICES {
        if !exists(&probe, exchange).await? {
            // A question for what is not there costs the channel it was asked on.
            probe = within("opening a channel", connection.create_channel()).await?;
            continue;
        }
        let bound = channel.queue_bind(
            queue.clone(),
            exchange.into(),
            "#".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        within("binding a queue", bound).await?;
        heard.push(exchange);
    }
    within("closing a channel", probe.close(200, "done".into())).await?;
    Ok(heard)
}

async fn exists(probe: &Channel, exchange: &'static str) -> Result<bool, TapError> {
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let asked = probe.exchange_declare(
        exchange.into(),
        ExchangeKind::Topic,
        options,
        FieldTable::default(),
    );
    match within("looking for an exchange", asked).await {
        Ok(()) => Ok(true),
        Err(TapError::Broker(error)) if is_not_found(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the broker said that something does not exist.
pub(crate) fn is_not_found(error: &lapin::Error) -> bool {
    use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
    matches!(
        error.kind(),
        lapin::ErrorKind::ProtocolError(said)
            if matches!(said.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
    )
}

/// A connection that is never recovered: on any doubt it is thrown away and made anew. Of the nodes of a cluster, whose
/// addresses are divided by commas, it is to the first that answers.
pub(crate) async fn connect(amqp_urls: &Secret, name: &str) -> Result<Connection, TapError> {
    let mut refused = TapError::Silent("connecting to the broker");
    for url in amqp_urls.expose().split(',') {
        match dial(url.trim(), name).await {
            Ok(connection) => return Ok(connection),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

async fn dial(url: &str, name: &str) -> Result<Connection, TapError> {
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{separator}heartbeat=10&connection_timeout=10000");
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    within("connecting to the broker", Connection::connect(&url, properties)).await
}

/// Waits for an answer of the broker, but not for ever.
pub(crate) async fn within<T>(
    what: &'static str,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, TapError> {
    match tokio::time::timeout(ANSWER, answer).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(TapError::Silent(what)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Flow, KINDS, TOLD};

    fn event(kind: &str, subject: &str) -> String {
        format!(
            r#"{{"specversion":"1.0","id":"1","source":"order","type":"{kind}","subject":"{subject}","time":"2026-11-22T08:00:00Z","sequence":"1","aggregate":"order","data":{{"type":"decoy"}}}}"#
        )
    }

    #[test]
    fn a_bundle_counts_events_by_type_and_by_exchange() {
        let mut flow = Flow::default();
        let body =
            format!("[{},{}]", event("order.placed.v1", "a"), event("order.confirmed.v1", "b"));
        flow.add("order", "order.3", body.as_bytes());
        flow.add("order", "order.4", format!("[{}]", event("order.placed.v1", "c")).as_bytes());
        assert_eq!((flow.messages, flow.events), (2, 3));
        assert_eq!(flow.kinds["order.placed.v1"], 2);
        assert_eq!(flow.exchanges["order"], 3);
        let told = &flow.items[0];
        assert_eq!(
            (told.kind.as_deref(), told.more_types, told.events),
            (Some("order.placed.v1"), 1, 2)
        );
        assert_eq!(told.subject.as_deref(), Some("a"));
    }

    #[test]
    fn what_cannot_be_read_is_told_all_the_same() {
        let mut flow = Flow::default();
        flow.add("order", "order.3", b"\xff not json");
        assert_eq!((flow.messages, flow.events, flow.items[0].kind.as_deref()), (1, 0, None));
    }

    #[test]
    fn a_bundle_is_bounded() {
        let mut flow = Flow::default();
        for n in 0..10 * KINDS {
            flow.add(
                "order",
                "order.3",
                format!("[{}]", event(&format!("kind.{n}"), "a")).as_bytes(),
            );
        }
        assert_eq!((flow.items.len(), flow.kinds.len()), (TOLD, KINDS));
        assert_eq!(flow.omitted, u64::try_from(10 * KINDS - TOLD).unwrap());
    }
}
