//! The AsyncAPI document: who says what to whom over which exchange, for those who do not read Rust.

use std::collections::BTreeMap;

use contracts::{
    BATCH_CONTENT_TYPE, EventKind, SLOTS,
    behavior::{USER_EVENT, USER_EVENTS_STREAM},
    schema::{self, Contract},
};
use messaging::{SLOT_GROUPS, Subscription, Topology};
use serde_json::{Map, Value, json};

/// The AsyncAPI 3.0 document of what `topologies` say and hear. The schemas stand beside it, one file each.
pub(crate) fn document(topologies: &[Topology], events: &[Contract]) -> Value {
    let mut channels = Map::new();
    let mut operations = Map::new();
    for topology in topologies {
        for (aggregate, kinds) in said(topology) {
            let id = channel_id(topology.service(), aggregate);
            channels.insert(id.clone(), channel(topology.service(), aggregate, &kinds));
            operations.insert(
                format!("{}.says.{aggregate}", topology.service()),
                operation("send", &id, &kinds, &says(topology.service(), aggregate)),
            );
        }
    }
    for topology in topologies {
        for subscription in topology.subscriptions() {
            for speaker in topologies
                .iter()
                .filter(|speaker| subscription.speakers().contains(&speaker.service()))
            {
                let (id, heard) = (
                    channel_id(speaker.service(), subscription.aggregate()),
                    heard(subscription, speaker),
                );
                operations.insert(
                    format!("{}.hears.{id}", topology.service()),
                    operation("receive", &id, &heard, &hears(topology, subscription)),
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
            "description": "Made from the Rust types of the events and the `topology()` of each service; `cargo xtask contracts` writes it anew. \
                Each message is a CloudEvents 1.0 batch in JSON: an array of envelopes of one aggregate and slot, in the order in which they were said. \
                Types are mixed within a batch; who does not know a type leaves it alone.",
        },
        "defaultContentType": BATCH_CONTENT_TYPE,
        "servers": {
            "broker": {
                "host": "{host}",
                "protocol": "amqp",
                "protocolVersion": "0.9.1",
                "description": "RabbitMQ, wherever it runs: `AMQP_URL` tells the services.",
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

/// What a service says, by aggregate.
fn said(topology: &Topology) -> BTreeMap<&'static str, Vec<EventKind>> {
    let mut said: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for kind in topology.said() {
        said.entry(kind.aggregate).or_default().push(*kind);
    }
    said
}

/// What a subscription handles of what `speaker` says.
fn heard(subscription: &Subscription, speaker: &Topology) -> Vec<EventKind> {
    let handled = subscription.handled();
    let said = speaker.said().iter().filter(|kind| kind.aggregate == subscription.aggregate());
    said.filter(|kind| handled.contains(&kind.name)).copied().collect()
}

fn says(service: &str, aggregate: &str) -> String {
    format!("{service} says what happens to `{aggregate}`, in the transaction in which it happens.")
}

fn hears(topology: &Topology, subscription: &Subscription) -> String {
    let consumer = subscription.consumer(topology.service());
    let queues: Vec<_> = (0..SLOT_GROUPS).map(|group| format!("`{consumer}.{group}`")).collect();
    format!(
        "{} handles these by its queues {}. It receives all events of the aggregate, and passes over those that it does not handle.",
        topology.service(),
        queues.join(" and ")
    )
}

fn channel_id(exchange: &str, aggregate: &str) -> String {
    format!("{exchange}.{aggregate}")
}

/// The routing keys of one aggregate at one exchange.
fn channel(exchange: &str, aggregate: &str, kinds: &[EventKind]) -> Value {
    let messages = kinds.iter().map(|kind| (kind.name.to_owned(), component(kind.name)));
    let slots: Vec<String> = (0..SLOTS).map(|slot| slot.to_string()).collect();
    json!({
        "address": format!("{aggregate}.{{slot}}"),
        "description": format!("What {exchange} says of `{aggregate}`. The address is the routing key."),
        "servers": [{"$ref": "#/servers/broker"}],
        "parameters": {
            "slot": {
                "enum": slots,
                "description": format!("XXH3-64 of the key (the envelope's `subject`) modulo {SLOTS}: events of one key travel in one slot, in their order."),
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

/// A batch that holds an event of this type.
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

/// The envelope with an event of this type in it.
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

/// The stream of user events is no service's topology: it is read by who writes it, its first word.
fn stream(channels: &mut Map<String, Value>, operations: &mut Map<String, Value>) {
    let owner = USER_EVENTS_STREAM.split('.').next().unwrap_or_default();
    let kinds = [EventKind { name: USER_EVENT, aggregate: "" }];
    channels.insert(
        USER_EVENTS_STREAM.to_owned(),
        json!({
            "address": USER_EVENTS_STREAM,
            "description": "The stream of user events, in the order in which they were accepted.",
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
        ("says", "send", "writes what it accepts from clients"),
        ("hears", "receive", "learns from it, and counts each event once by its `event_id`"),
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
        "summary": "What people did, as many events as came in one request.",
        "contentType": "application/json",
        "payload": {"type": "array", "items": {"$ref": file(USER_EVENT)}},
    })
}
