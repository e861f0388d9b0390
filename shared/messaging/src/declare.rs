//! Declares exchanges, queues and bindings, and finds out what differs.
//!
//! The broker refuses to declare an object that exists with other properties, and closes the channel. It names one property only. The
//! others are found by trying again with the property as it was found, on a new channel.

use std::collections::BTreeSet;

use lapin::{
    Channel, ErrorKind,
    options::{ExchangeDeclareOptions, QueueDeclareOptions},
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::{FieldTable, ShortString},
};

use crate::{
    broker::{self, Channels, REPLY_TIMEOUT, bind, is_soft, user_of},
    declarations::{
        ArgumentValue, Arguments, Declarations, ExchangeDeclaration, QUEUE_TYPE, QueueDeclaration,
        field_table,
    },
    difference::{Difference, ObjectKind},
    error::{Error, with_timeout},
    settings::Settings,
};

/// How many differing arguments of a queue are found at most; there are fewer.
const MAX_ROUNDS: usize = 16;

/// What the user of a connection may declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    All,
    /// Only what is the service's own: the exchanges of publishers must exist.
    Own,
}

impl Rights {
    /// The rights of the user in this address: one with the name of the service is for the service alone.
    pub(crate) fn of(amqp_urls: &str, service: &str) -> Self {
        if user_of(amqp_urls).as_deref() == Some(service) { Self::Own } else { Self::All }
    }
}

/// Declares everything that is missing, and returns what exists with other properties. Repeating it changes nothing.
pub(crate) async fn declare_all(
    channels: &Channels,
    declarations: &Declarations,
    rights: Rights,
) -> Result<Vec<Difference>, Error> {
    let may_declare = |name: &str| rights == Rights::All || declarations.is_own(name);
    let mut channel = channels.open().await?;
    let mut differences = Vec::new();
    for exchange in &declarations.exchanges {
        if !may_declare(&exchange.name) {
            look_up_exchange(&channel, &exchange.name).await?;
        } else if let Err(error) = declare_exchange(&channel, exchange).await {
            differences.push(difference_of_exchange(exchange, error)?);
            channel = channels.open().await?;
        }
    }
    for queue in declarations.queues.iter().filter(|queue| may_declare(&queue.name)) {
        if let Err(error) = declare_queue(&channel, &queue.name, &queue.arguments).await {
            differences.extend(differences_of_queue(channels, queue, error).await?);
            channel = channels.open().await?;
        }
    }
    // A fanout exchange would ignore the routing key, and the queue would get the events of all aggregates.
    let unusable: BTreeSet<&str> = differences
        .iter()
        .filter(|difference| difference.kind == ObjectKind::Exchange && difference.is_unusable)
        .map(|difference| difference.name.as_str())
        .collect();
    for binding in declarations.bindings.iter().filter(|binding| may_declare(&binding.queue)) {
        if !unusable.contains(binding.exchange.as_str()) {
            bind(&channel, &binding.queue, &binding.exchange, &binding.routing_key).await?;
        }
    }
    broker::close_channel(&channel).await?;
    Ok(differences)
}

/// Declares everything that the service needs, and reports what differs.
pub(crate) async fn declare_topology(
    channels: &Channels,
    settings: &Settings,
) -> Result<(), Error> {
    let rights = Rights::of(&settings.amqp_url, settings.service);
    let differences = declare_all(channels, &settings.declarations, rights).await?;
    settings.connections.topology_differs(differences);
    Ok(())
}

/// The same for a publisher, which needs its own exchange: an exchange of another type would deliver its events to the wrong queues.
pub(crate) async fn declare_for_publisher(
    channels: &Channels,
    settings: &Settings,
) -> Result<(), Error> {
    declare_topology(channels, settings).await?;
    settings.connections.check(ObjectKind::Exchange, settings.service)
}

/// Declares one queue; fails if it exists and cannot be used.
pub(crate) async fn declare_one(
    channels: &Channels,
    queue: &QueueDeclaration,
) -> Result<(), Error> {
    let channel = channels.open().await?;
    let Err(error) = declare_queue(&channel, &queue.name, &queue.arguments).await else {
        return broker::close_channel(&channel).await;
    };
    let differences = differences_of_queue(channels, queue, error).await?;
    let unusable = differences.into_iter().find(|difference| difference.is_unusable);
    unusable.map_or(Ok(()), |difference| Err(Error::Differs(Box::new(difference))))
}

async fn declare_exchange(channel: &Channel, exchange: &ExchangeDeclaration) -> Result<(), Error> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared = channel.exchange_declare(
        exchange.name.as_str().into(),
        exchange.kind.into(),
        options,
        field_table(&exchange.arguments),
    );
    with_timeout("declaring an exchange", REPLY_TIMEOUT, declared).await
}

async fn declare_queue(channel: &Channel, name: &str, arguments: &Arguments) -> Result<(), Error> {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(ShortString::from(name), options, field_table(arguments));
    with_timeout("declaring a queue", REPLY_TIMEOUT, declared).await.map(drop)
}

/// Fails if there is no such exchange. It needs no rights.
async fn look_up_exchange(channel: &Channel, name: &str) -> Result<(), Error> {
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let kind = lapin::ExchangeKind::Topic;
    let found = channel.exchange_declare(name.into(), kind, options, FieldTable::default());
    match with_timeout("looking for an exchange", REPLY_TIMEOUT, found).await {
        Err(error) if is_soft(&error, &AMQPSoftError::NOTFOUND) => {
            Err(Error::NoExchange(name.to_owned()))
        }
        found => found,
    }
}

/// Fails with 404 if there is no such queue.
async fn look_up(channel: &Channel, name: &str) -> Result<(), Error> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let found = channel.queue_declare(ShortString::from(name), options, FieldTable::default());
    with_timeout("looking for a queue", REPLY_TIMEOUT, found).await.map(drop)
}

/// The first property of an exchange that the broker refuses.
fn difference_of_exchange(
    exchange: &ExchangeDeclaration,
    error: Error,
) -> Result<Difference, Error> {
    let Refusal { property, found } = Refusal::of(error)?;
    let wanted = match property.as_str() {
        "type" => Some(exchange.kind.name().to_owned()),
        "durable" => Some("true".to_owned()),
        "auto_delete" | "internal" => Some("false".to_owned()),
        argument => exchange.arguments.get(argument).map(ToString::to_string),
    };
    let found = found.text();
    Ok(Difference::new(ObjectKind::Exchange, &exchange.name, &property, wanted, found))
}

/// All arguments of a queue that the broker refuses; none if only optional ones are missing.
async fn differences_of_queue(
    channels: &Channels,
    queue: &QueueDeclaration,
    mut error: Error,
) -> Result<Vec<Difference>, Error> {
    let mut adopted = queue.arguments.clone();
    let mut differences = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let Refusal { property, mut found } = Refusal::of(error)?;
        if adopted.get(&property).is_some_and(|adopted| found == Found::Value(adopted.clone())) {
            // It refuses its own value: the text does not tell how the value is encoded.
            found = Found::Unknown;
        }
        let is_missing = found == Found::Nothing;
        let is_former = match (&found, queue.former.get(&property)) {
            (Found::Value(value), Some(former)) => value == former,
            _ => false,
        };
        if !(is_former || is_missing && queue.optional.contains(&property)) {
            let wanted = match property.as_str() {
                "durable" => Some("true".to_owned()),
                "auto_delete" | "exclusive" => Some("false".to_owned()),
                argument => queue.arguments.get(argument).map(ToString::to_string),
            };
            let difference =
                Difference::new(ObjectKind::Queue, &queue.name, &property, wanted, found.text());
            // Without the value that was found the type of the queue stays unknown.
            let is_unusable = difference.is_unusable || found == Found::Unknown;
            differences.push(Difference { is_unusable, ..difference });
            if is_unusable {
                break;
            }
        }
        match found {
            Found::Value(value) => drop(adopted.insert(property, value)),
            Found::Nothing | Found::Unknown => drop(adopted.remove(&property)),
        }
        let channel = channels.open().await?;
        // If it was deleted meanwhile, it must not be created with these arguments: this fails, and everything is declared again.
        look_up(&channel, &queue.name).await?;
        match declare_queue(&channel, &queue.name, &adopted).await {
            Ok(()) => {
                broker::close_channel(&channel).await?;
                break;
            }
            Err(next) => error = next,
        }
    }
    Ok(differences)
}

/// Why the broker refused a declaration.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    property: String,
    found: Found,
}

/// What the broker has instead.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Value(ArgumentValue),
    /// The property is not set.
    Nothing,
    /// The text of the broker does not tell; it has 255 bytes at most.
    Unknown,
}

impl Found {
    fn text(&self) -> Option<String> {
        match self {
            Self::Value(value) => Some(value.to_string()),
            Self::Nothing => None,
            Self::Unknown => Some("another value".to_owned()),
        }
    }
}

impl Refusal {
    /// Reads the refusal from an error. Any other error is returned.
    fn of(error: Error) -> Result<Self, Error> {
        if let Error::Broker(broker) = &error
            && let ErrorKind::ProtocolError(protocol) = broker.kind()
            && matches!(protocol.kind(), AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED))
            && let Some(refusal) = Self::parse(protocol.get_message().as_str())
        {
            return Ok(refusal);
        }
        Err(error)
    }

    /// Parses `inequivalent arg 'x' for queue 'q' in vhost '/': received … but current is …`.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("inequivalent arg '")?;
        let (property, rest) = rest.split_once('\'')?;
        let current = rest.rsplit_once(" but current is ").map(|(_, current)| current);
        let found = current.map_or(Found::Unknown, |current| parse_value(current, property));
        Some(Self { property: property.to_owned(), found })
    }
}

/// Parses `none`, `the value 'v' of type 't'` or `'v'`.
fn parse_value(text: &str, property: &str) -> Found {
    if text == "none" {
        // The default type.
        let classic = || Found::Value(ArgumentValue::Text("classic".to_owned()));
        return if property == QUEUE_TYPE { classic() } else { Found::Nothing };
    }
    let quoted = |text: &str| Some(text.strip_prefix('\'')?.strip_suffix('\'')?.to_owned());
    let typed = text.strip_prefix("the value ").and_then(|text| text.rsplit_once(" of type "));
    let (value, kind) = match typed {
        Some((value, kind)) => (quoted(value), quoted(kind)),
        None => (quoted(text), Some(String::new())),
    };
    let (Some(value), Some(kind)) = (value, kind) else { return Found::Unknown };
    let number = || value.parse().ok().map(ArgumentValue::Number);
    let flag = || value.parse().ok().map(ArgumentValue::Flag);
    let parsed = match kind.as_str() {
        "longstr" => None,
        "bool" => flag(),
        // Texts have a type, numbers may have none.
        _ => number(),
    };
    Found::Value(parsed.unwrap_or(ArgumentValue::Text(value)))
}

#[cfg(test)]
mod tests {
    use super::{ArgumentValue, Found, Refusal};

    fn found(text: &str) -> (String, Found) {
        let Refusal { property, found } = Refusal::parse(text).unwrap();
        (property, found)
    }

    #[test]
    fn refusals_of_the_broker_are_parsed() {
        let text = |value: &str| Found::Value(ArgumentValue::Text(value.to_owned()));
        let is = |refusal: &str, property: &str, expected: Found| {
            assert_eq!(found(refusal), (property.to_owned(), expected), "{refusal}");
        };
        let queue = "for queue 'order.stock.0' in vhost '/': received";
        is(
            &format!(
                "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' {queue} the value 'quorum' of type 'longstr' but current is none"
            ),
            "x-queue-type",
            text("classic"),
        );
        is(
            &format!("inequivalent arg 'x-overflow' {queue} none but current is none"),
            "x-overflow",
            Found::Nothing,
        );
        is(
            &format!("inequivalent arg 'x-delivery-limit' {queue} '20' but current is '5'"),
            "x-delivery-limit",
            Found::Value(ArgumentValue::Number(5)),
        );
        is(
            &format!("inequivalent arg 'x-queue-type' {queue} 'quorum' but current is 'classic'"),
            "x-queue-type",
            text("classic"),
        );
        is(
            &format!(
                "inequivalent arg 'x-delivery-limit' {queue} the value '20' of type 'long' but current is the value '5' of type 'signedint'"
            ),
            "x-delivery-limit",
            Found::Value(ArgumentValue::Number(5)),
        );
        is(
            &format!(
                "inequivalent arg 'x-single-active-consumer' {queue} none but current is the value 'true' of type 'bool'"
            ),
            "x-single-active-consumer",
            Found::Value(ArgumentValue::Flag(true)),
        );
        is(
            "inequivalent arg 'type' for exchange 'order' in vhost '/': received 'topic' but current is 'fanout'",
            "type",
            text("fanout"),
        );
    }

    #[test]
    fn a_cut_refusal_still_names_its_argument() {
        let cut = "inequivalent arg 'x-dead-letter-routing-key' for queue 'a' in vhost 'b': received the value 'behavior-ana...";
        assert_eq!(found(cut), ("x-dead-letter-routing-key".to_owned(), Found::Unknown));
        assert_eq!(Refusal::parse("PRECONDITION_FAILED - queue 'a' in use"), None);
    }
}
