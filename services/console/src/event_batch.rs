//! Summaries of the events that flow through the broker, as the operations page receives them.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

/// How many messages of a batch are listed; the others are only counted.
const MAX_ITEMS: usize = 40;
/// How many event types of a batch have their own count.
const MAX_TYPES: usize = 64;
/// How many batches a slow browser may lag behind before it misses some.
const CAPACITY: usize = 64;

/// Sends each batch, as JSON, to all open pages.
#[derive(Debug, Clone)]
pub(crate) struct EventBatches(broadcast::Sender<Arc<str>>);

impl Default for EventBatches {
    fn default() -> EventBatches {
        EventBatches(broadcast::Sender::new(CAPACITY))
    }
}

impl EventBatches {
    pub(crate) fn send(&self, batch: &EventBatch) {
        // Without a receiver the last page has just closed.
        let _ = self.0.send(serde_json::to_string(batch).unwrap_or_default().into());
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<str>> {
        self.0.subscribe()
    }
}

/// The messages of one short interval.
#[derive(Debug, Default, Serialize)]
pub(crate) struct EventBatch {
    messages: u64,
    events: u64,
    #[serde(rename = "kinds")]
    events_by_type: BTreeMap<String, u64>,
    #[serde(rename = "exchanges")]
    events_by_exchange: BTreeMap<String, u64>,
    /// The first messages, oldest first.
    items: Vec<ObservedMessage>,
    /// How many messages are not in `items`.
    omitted: u64,
}

/// One message. `type`, `subject` and `time` are those of its first event.
#[derive(Debug, Serialize)]
struct ObservedMessage {
    /// The time of arrival if the body cannot be decoded.
    time: String,
    exchange: String,
    routing_key: String,
    /// `None` if the body cannot be decoded.
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// How many other event types the message contains.
    more_types: usize,
    subject: Option<String>,
    events: u64,
}

/// The attributes of an event that the page shows; the rest is skipped without being parsed.
#[derive(Deserialize)]
struct EventAttributes<'a> {
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

impl EventBatch {
    pub(crate) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Adds one message, also if its body cannot be decoded.
    pub(crate) fn add(&mut self, exchange: &str, routing_key: &str, body: &[u8]) {
        let decoded: Vec<EventAttributes<'_>> = serde_json::from_slice(body).unwrap_or_default();
        let events = u64::try_from(decoded.len()).unwrap_or(u64::MAX);
        self.messages += 1;
        self.events += events;
        *self.events_by_exchange.entry(exchange.to_owned()).or_default() += events;
        for event in &decoded {
            if let Some(count) = self.events_by_type.get_mut(&*event.event_type) {
                *count += 1;
            } else if self.events_by_type.len() < MAX_TYPES {
                self.events_by_type.insert(event.event_type.clone().into_owned(), 1);
            }
        }
        if self.items.len() >= MAX_ITEMS {
            self.omitted += 1;
            return;
        }
        let mut types: Vec<&str> = decoded.iter().map(|event| &*event.event_type).collect();
        types.sort_unstable();
        types.dedup();
        let first = decoded.first();
        self.items.push(ObservedMessage {
            time: first.map_or_else(
                || runtime::clock::now().to_rfc3339(),
                |event| event.time.clone().into_owned(),
            ),
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
            event_type: first.map(|event| event.event_type.clone().into_owned()),
            more_types: types.len().saturating_sub(1),
            subject: first.map(|event| event.subject.clone().into_owned()),
            events,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{EventBatch, MAX_ITEMS, MAX_TYPES};

    fn event(event_type: &str, subject: &str) -> String {
        format!(
            r#"{{"specversion":"1.0","id":"1","source":"order","type":"{event_type}","subject":"{subject}","time":"2026-11-22T08:00:00Z","sequence":"1","aggregate":"order","data":{{"type":"decoy"}}}}"#
        )
    }

    #[test]
    fn batch_counts_events_by_type_and_by_exchange() {
        let mut batch = EventBatch::default();
        let body =
            format!("[{},{}]", event("order.placed.v1", "a"), event("order.confirmed.v1", "b"));
        batch.add("order", "order.3", body.as_bytes());
        batch.add("order", "order.4", format!("[{}]", event("order.placed.v1", "c")).as_bytes());
        assert_eq!((batch.messages, batch.events), (2, 3));
        assert_eq!(batch.events_by_type["order.placed.v1"], 2);
        assert_eq!(batch.events_by_exchange["order"], 3);
        let item = &batch.items[0];
        assert_eq!(
            (item.event_type.as_deref(), item.more_types, item.events),
            (Some("order.placed.v1"), 1, 2)
        );
        assert_eq!(item.subject.as_deref(), Some("a"));
    }

    #[test]
    fn undecodable_message_is_listed() {
        let mut batch = EventBatch::default();
        batch.add("order", "order.3", b"\xff not json");
        let event_type = batch.items[0].event_type.as_deref();
        assert_eq!((batch.messages, batch.events, event_type), (1, 0, None));
    }

    #[test]
    fn batch_is_bounded() {
        let mut batch = EventBatch::default();
        for n in 0..10 * MAX_TYPES {
            let body = format!("[{}]", event(&format!("kind.{n}"), "a"));
            batch.add("order", "order.3", body.as_bytes());
        }
        assert_eq!((batch.items.len(), batch.events_by_type.len()), (MAX_ITEMS, MAX_TYPES));
        assert_eq!(batch.omitted, u64::try_from(10 * MAX_TYPES - MAX_ITEMS).unwrap());
    }
}
