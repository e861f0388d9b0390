//! What services declare on the broker, as data. It is the only description of their exchanges, queues, bindings and streams: services
//! declare from it, and [`topology_plan`](crate::topology_plan) compares it with a broker.

use std::{collections::BTreeMap, fmt};

use lapin::{
    ExchangeKind,
    types::{AMQPValue, FieldTable},
};
use serde::{Deserialize, Serialize};

use crate::naming::{dead_queue, request_queue, unrouted};

/// How often a message may be redelivered after the death of its consumer before the broker dead-letters it.
const DELIVERY_LIMIT: i64 = 20;

/// A delivery limit that no message reaches.
const NO_LIMIT: i64 = 1_000_000_000;

/// How long a stream keeps its messages: the window in which it can be replayed.
const STREAM_RETENTION: &str = "7D";

/// The size limit of a stream in bytes, whatever its retention.
const STREAM_MAX_BYTES: i64 = 2_000_000_000;

/// The size of a segment file in bytes. After a crash the broker reads the last segment again before consumers can attach: three
/// seconds for 60 MB, where the default of RabbitMQ is 500 MB.
const STREAM_SEGMENT_BYTES: i64 = 4_000_000;

/// How many requests for missing messages a service keeps. They are repeated, so the oldest may be dropped.
const MAX_REQUESTS: i64 = 10_000;

/// The argument with the type of a queue.
pub(crate) const QUEUE_TYPE: &str = "x-queue-type";

/// The type of a stream.
const STREAM: &str = "stream";

/// The argument with the exchange of dead-lettered messages.
const DEAD_LETTER_EXCHANGE: &str = "x-dead-letter-exchange";

/// The argument with the routing key of dead-lettered messages.
pub(crate) const DEAD_LETTER_ROUTING_KEY: &str = "x-dead-letter-routing-key";

/// The argument of a stream that earlier versions did not set.
const STREAM_SEGMENT_SIZE: &str = "x-stream-max-segment-size-bytes";

/// Everything that a service declares. It includes the exchanges of the publishers that it subscribes to, so services may start
/// in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declarations {
    /// The name of the service.
    pub service: String,
    pub exchanges: Vec<ExchangeDeclaration>,
    pub queues: Vec<QueueDeclaration>,
    pub bindings: Vec<BindingDeclaration>,
}

/// A durable exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExchangeDeclaration {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ExchangeType,
    #[serde(default)]
    pub arguments: Arguments,
}

/// The types of exchanges in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExchangeType {
    Topic,
    Fanout,
}

/// A durable queue or stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueDeclaration {
    pub name: String,
    pub arguments: Arguments,
    /// Arguments that an earlier version did not set: a queue without them is as good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<String>,
    /// Values that an earlier version set: a queue with them is as good.
    #[serde(default, skip_serializing_if = "Arguments::is_empty")]
    pub former: Arguments,
}

/// A binding of a queue to an exchange.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BindingDeclaration {
    pub exchange: String,
    pub queue: String,
    pub routing_key: String,
}

/// The arguments of a declaration by name.
pub type Arguments = BTreeMap<String, ArgumentValue>;

/// The value of an argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ArgumentValue {
    Flag(bool),
    Number(i64),
    Text(String),
}

impl fmt::Display for ArgumentValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl fmt::Display for BindingDeclaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { exchange, queue, routing_key } = self;
        write!(f, "{exchange} → {queue} ({routing_key})")
    }
}

impl ExchangeType {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Fanout => "fanout",
        }
    }
}

impl From<ExchangeType> for ExchangeKind {
    fn from(kind: ExchangeType) -> Self {
        match kind {
            ExchangeType::Topic => Self::Topic,
            ExchangeType::Fanout => Self::Fanout,
        }
    }
}

/// The arguments as AMQP sends them.
pub(crate) fn field_table(arguments: &Arguments) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        let value = match value {
            ArgumentValue::Flag(flag) => AMQPValue::Boolean(*flag),
            ArgumentValue::Number(number) => AMQPValue::LongLongInt(*number),
            ArgumentValue::Text(text) => AMQPValue::LongString(text.as_str().into()),
        };
        table.insert(name.as_str().into(), value);
    }
    table
}

impl Declarations {
    pub(crate) fn of(service: &str) -> Self {
        let mut all = Self { service: service.to_owned(), ..Self::default() };
        all.add_publisher(service);
        all.queues.push(queue(dead_queue(service), []));
        let limit = ("x-max-length", ArgumentValue::Number(MAX_REQUESTS));
        all.queues.push(queue(request_queue(service), [limit]));
        // Subscribers may write to this exchange, and to no queue of the service.
        all.exchanges.push(fanout(request_queue(service)));
        all.bind(&request_queue(service), &request_queue(service), "");
        // The dead letters of the service's queues come through its own exchange.
        all.bind(&dead_queue(service), service, &dead_queue(service));
        all
    }

    pub(crate) fn bind(&mut self, queue: &str, exchange: &str, routing_key: &str) {
        self.bindings.push(BindingDeclaration {
            queue: queue.to_owned(),
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
        });
    }

    /// Adds a stream, with an exchange of its name: its writer may write to that, and to no other queue.
    pub(crate) fn add_stream(&mut self, name: &str) {
        self.queues.push(stream(name));
        self.exchanges.push(fanout(name.to_owned()));
        self.bind(name, name, "");
    }

    /// Whether an exchange or a queue is of this service: it has the service's name, or is a stream of it.
    pub(crate) fn is_own(&self, name: &str) -> bool {
        let rest = name.strip_prefix(self.service.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            || self.streams().any(|stream| stream == name)
    }

    fn streams(&self) -> impl Iterator<Item = &str> {
        let is_stream = |queue: &&QueueDeclaration| {
            queue.arguments.get(QUEUE_TYPE) == Some(&ArgumentValue::Text(STREAM.to_owned()))
        };
        self.queues.iter().filter(is_stream).map(|queue| queue.name.as_str())
    }

    /// What others may read: the exchange and the streams, as expressions.
    pub(crate) fn readable(&self) -> Vec<String> {
        std::iter::once(self.service.as_str()).chain(self.streams()).map(escaped).collect()
    }

    /// What the user of the service may do on the broker: everything with what is its own, read the exchanges of the publishers that it
    /// subscribes to, and ask them for missing messages.
    pub fn permissions(&self) -> Permissions {
        let publishers = self.exchanges.iter().filter(|exchange| {
            exchange.kind == ExchangeType::Topic && exchange.name != self.service
        });
        let publishers: Vec<String> = publishers.map(|exchange| escaped(&exchange.name)).collect();
        let service = escaped(&self.service);
        let own: Vec<String> = [service.clone(), format!("{service}\\..+")]
            .into_iter()
            .chain(self.streams().map(escaped))
            .collect();
        let requests = publishers.iter().map(|publisher| format!("{publisher}\\.requests"));
        Permissions {
            configure: any_of(own.iter().cloned()),
            write: any_of(own.iter().cloned().chain(requests)),
            read: any_of(own.iter().chain(&publishers).cloned()),
        }
    }

    /// Adds the exchange of a publisher. Its alternate exchange feeds a queue that collects unroutable events for operators.
    pub(crate) fn add_publisher(&mut self, publisher: &str) {
        if self.exchanges.iter().any(|exchange| exchange.name == publisher) {
            return;
        }
        let alternate = unrouted(publisher);
        self.exchanges.push(fanout(alternate.clone()));
        self.exchanges.push(ExchangeDeclaration {
            name: publisher.to_owned(),
            kind: ExchangeType::Topic,
            arguments: [("alternate-exchange".to_owned(), text(&alternate))].into(),
        });
        self.queues.push(queue(alternate.clone(), []));
        self.bindings.push(BindingDeclaration {
            exchange: alternate.clone(),
            queue: alternate,
            routing_key: String::new(),
        });
    }

    /// Adds a queue for events: one active consumer, and a dead-letter queue for messages that are redelivered too often.
    pub(crate) fn add_consumer_queue(&mut self, name: String) {
        let arguments = [
            (DEAD_LETTER_EXCHANGE, text(&self.service)),
            (DEAD_LETTER_ROUTING_KEY, text(&dead_queue(&self.service))),
            ("x-dead-letter-strategy", text("at-least-once")),
            // At-least-once dead-lettering requires this overflow behaviour.
            ("x-overflow", text("reject-publish")),
            ("x-single-active-consumer", ArgumentValue::Flag(true)),
            ("x-delivery-limit", ArgumentValue::Number(DELIVERY_LIMIT)),
        ];
        // An earlier version used the default exchange, to which only an administrator may write.
        let former = [(DEAD_LETTER_EXCHANGE.to_owned(), text(""))].into();
        self.queues.push(QueueDeclaration { former, ..queue(name, arguments) });
    }
}

/// What a user of the broker may do, as regular expressions over the names of exchanges and queues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    pub configure: String,
    pub write: String,
    pub read: String,
}

/// An expression that matches these alternatives only.
fn any_of(alternatives: impl Iterator<Item = String>) -> String {
    format!("^({})$", alternatives.collect::<Vec<_>>().join("|"))
}

/// A name as an expression that matches nothing else.
fn escaped(name: &str) -> String {
    let escape = |letter: char| {
        let is_plain = letter.is_alphanumeric() || matches!(letter, '-' | '_');
        if is_plain { vec![letter] } else { vec!['\\', letter] }
    };
    name.chars().flat_map(escape).collect()
}

/// An exchange that passes everything on.
fn fanout(name: String) -> ExchangeDeclaration {
    ExchangeDeclaration { name, kind: ExchangeType::Fanout, arguments: Arguments::new() }
}

/// A quorum queue.
fn queue(
    name: String,
    arguments: impl IntoIterator<Item = (&'static str, ArgumentValue)>,
) -> QueueDeclaration {
    let named = |(name, value): (&str, ArgumentValue)| (name.to_owned(), value);
    let mut arguments: Arguments = arguments.into_iter().map(named).collect();
    arguments.insert(QUEUE_TYPE.to_owned(), text("quorum"));
    // RabbitMQ 4 drops messages that were returned twenty times unless a limit is set. Without a dead-letter target they must stay.
    arguments.entry("x-delivery-limit".to_owned()).or_insert(ArgumentValue::Number(NO_LIMIT));
    QueueDeclaration { name, arguments, optional: Vec::new(), former: Arguments::new() }
}

/// A stream.
pub(crate) fn stream(name: &str) -> QueueDeclaration {
    let arguments = [
        (QUEUE_TYPE, text(STREAM)),
        ("x-max-age", text(STREAM_RETENTION)),
        ("x-max-length-bytes", ArgumentValue::Number(STREAM_MAX_BYTES)),
        (STREAM_SEGMENT_SIZE, ArgumentValue::Number(STREAM_SEGMENT_BYTES)),
    ];
    QueueDeclaration {
        name: name.to_owned(),
        arguments: arguments.map(|(name, value)| (name.to_owned(), value)).into(),
        optional: vec![STREAM_SEGMENT_SIZE.to_owned()],
        former: Arguments::new(),
    }
}

fn text(value: &str) -> ArgumentValue {
    ArgumentValue::Text(value.to_owned())
}
