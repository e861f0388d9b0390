//! The AsyncAPI document: exchanges, messages, publishers and subscribers, for readers outside Rust.

use std::collections::BTreeMap;

use contracts::{
    behavior::{USER_EVENT, USER_EVENTS_STREAM},
    schema::{self, Contract},
};
use envelope::{BATCH_CONTENT_TYPE, EventKind, SLOTS};
use messaging::{DEFAULT_SLOT_GROUPS, Subscription, Topology};
use serde_json::{Map, Value, json};

/// The AsyncAPI 3.0 document of `topologies`. It refers to the schema files beside it.
pub(crate) fn document(topologies: &[Topology], events: &[Contract]) -> Value {
    let mut channels = Map::new();
    let mut operations = Map::new();
    for topology in topologies {
        for (aggregate, kinds) in published(topology) {
            let id = channel_id(topology.service(), aggregate);
            channels.insert(id.clone(), channel(topology.service(), aggregate, &kinds));
            operations.insert(
                format!("{}.publish.{aggregate}", topology.service()),
                operation("send", &id, &kinds, &publish_description(topology.service(), aggregate)),
            );
        }
    }
    for topology in topologies {
        for subscription in topology.subscriptions() {
            for publisher in topologies
                .iter()
                .filter(|publisher| subscription.publishers().contains(&publisher.service()))
            {
                let id = channel_id(publisher.service(), subscription.aggregate());
                operations.insert(
                    format!("{}.receive.{id}", topology.service()),
                    operation(
                        "receive",
                        &id,
                        &handled(subscription, publisher),
                        &receive_description(topology, subscription),
                    ),
                );
            }
        }
    }
    stream(&mut channels, &mut operations);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "The shopping guide's events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Generated from the Rust types of the events and the `topology()` of each service by `cargo xtask contracts`. \
                Each message is a CloudEvents 1.0 batch in JSON: an array of envelopes of one aggregate and slot, in the order of publication. \
                A batch may contain several event types; consumers ignore types that they do not know.",
        },
        "defaultContentType": BATCH_CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "{host}",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "description": "RabbitMQ; the services read its URL from `AMQP_URL`.",
                "variables": {"host": {"default": "127.0.0.1:5672", "description": "Host and port."}},
            },
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": events.iter().map(|event| (event.kind.name.to_owned(), message(event))).chain([(USER_EVENT.to_owned(), user_events())]).collect::<Map<_, _>>(),
            "schemas": events.iter().map(|event| (event.kind.name.to_owned(), enveloped(event))).collect::<Map<_, _>>(),
        },
    })
}

/// The events that a service publishes, by aggregate.
fn published(topology: &Topology) -> BTreeMap<&'static str, Vec<EventKind>> {
    let mut published: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for kind in topology.published() {
        published.entry(kind.aggregate).or_default().push(*kind);
    }
    published
}

/// The events of `publisher` that a subscription handles.
fn handled(subscription: &Subscription, publisher: &Topology) -> Vec<EventKind> {
    let handled = subscription.handled();
    let events = publisher.published().iter();
    let events = events.filter(|kind| kind.aggregate == subscription.aggregate());
    events.filter(|kind| handled.contains(&kind.name)).copied().collect()
}

fn publish_description(service: &str, aggregate: &str) -> String {
    format!("{service} publishes events of `{aggregate}` through its outbox.")
}

fn receive_description(topology: &Topology, subscription: &Subscription) -> String {
    let consumer = subscription.consumer(topology.service());
    let queues: Vec<_> =
        (0..DEFAULT_SLOT_GROUPS).map(|group| format!("`{consumer}.{group}`")).collect();
    format!(
        "{} handles these events from its queues {}. The queues receive all events of the aggregate. The service ignores the other types that it knows, and parks events of a type that it does not know.",
        topology.service(),
        queues.join(" and ")
    )
}

fn channel_id(exchange: &str, aggregate: &str) -> String {
    format!("{exchange}.{aggregate}")
}

/// The routing keys of one aggregate on one exchange.
fn channel(exchange: &str, aggregate: &str, kinds: &[EventKind]) -> Value {
    let messages = kinds.iter().map(|kind| (kind.name.to_owned(), component(kind.name)));
    let slots: Vec<String> = (0..SLOTS).map(|slot| slot.to_string()).collect();
    json!({
        "address": format!("{aggregate}.{{slot}}"),
        "description": format!("Events of `{aggregate}`, published by {exchange}. The address is the routing key."),
        "servers": [{"$ref": "#/servers/broker"}],
        "parameters": {
            "slot": {
                "enum": slots,
                "description": format!("XXH3-64 of the key (the envelope's `subject`) modulo {SLOTS}: all events of one key use one slot, in order."),
            },
        },
        "messages": messages.collect::<Map<_, _>>(),
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": exchange, "type": "topic", "durable": true, "autoDelete": false},
                "bindingVersion": "0.3.0",
            },
        },
    })
}

fn component(message: &str) -> Value {
    json!({"$ref": format!("#/components/messages/{message}")})
}

fn operation(action: &str, channel: &str, kinds: &[EventKind], description: &str) -> Value {
    let message =
        |kind: &EventKind| json!({"$ref": format!("#/channels/{channel}/messages/{}", kind.name)});
    json!({
        "action": action,
        "channel": {"$ref": format!("#/channels/{channel}")},
        "description": description,
        "messages": kinds.iter().map(message).collect::<Vec<_>>(),
    })
}

/// A batch that contains an event of this type.
fn message(event: &Contract) -> Value {
    json!({
        "name": event.kind.name,
        "title": event.kind.name,
        "summary": event.schema["description"],
        "contentType": BATCH_CONTENT_TYPE,
        "payload": {
            "type": "array",
            "items": {"$ref": file(schema::ENVELOPE)},
            "contains": {"$ref": format!("#/components/schemas/{}", event.kind.name)},
        },
    })
}

/// The envelope of an event of this type.
fn enveloped(event: &Contract) -> Value {
    json!({
        "allOf": [
            {"$ref": file(schema::ENVELOPE)},
            {
                "type": "object",
                "properties": {
                    "type": {"const": event.kind.name},
                    "aggregate": {"const": event.kind.aggregate},
                    "data": {"$ref": file(event.kind.name)},
                },
            },
        ],
    })
}

fn file(contract: &str) -> String {
    format!("./schemas/{contract}.json")
}

/// Adds the stream of user events, which is in no topology. The service in its name both writes and reads it.
fn stream(channels: &mut Map<String, Value>, operations: &mut Map<String, Value>) {
    let owner = USER_EVENTS_STREAM.split('.').next().unwrap_or_default();
    let kinds = [EventKind { name: USER_EVENT, aggregate: "" }];
    channels.insert(
        USER_EVENTS_STREAM.to_owned(),
        json!({
            "address": USER_EVENTS_STREAM,
            "description": "The stream of user events, in the order of acceptance.",
            "servers": [{"$ref": "#/servers/broker"}],
            "messages": {USER_EVENT: component(USER_EVENT)},
            "bindings": {
                "amqp": {
                    "is": "queue",
                    "queue": {"name": USER_EVENTS_STREAM, "durable": true, "exclusive": false, "autoDelete": false},
                    "bindingVersion": "0.3.0",
                },
            },
        }),
    );
    for (verb, action, what) in [
        ("publish", "send", "writes the user events that it accepts from clients"),
        (
            "receive",
            "receive",
            "builds its model from the stream and counts each event once by `event_id`",
        ),
    ] {
        operations.insert(
            format!("{owner}.{verb}.{USER_EVENTS_STREAM}"),
            operation(action, USER_EVENTS_STREAM, &kinds, &format!("{owner} {what}.")),
        );
    }
}

fn user_events() -> Value {
    json!({
        "name": USER_EVENT,
        "title": USER_EVENT,
        "summary": "The user events of one request.",
        "contentType": "application/json",
        "payload": {"type": "array", "items": {"$ref": file(USER_EVENT)}},
    })
}
