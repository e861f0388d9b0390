//! The buffer of a consumer that reorders events: models `ReorderingBuffer` around the real `Dispatcher` and
//! `take_finished`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use envelope::Envelope;

use super::broker::StoredMessage;
use crate::consume::{
    delivery_buffer::{Finished, take_finished},
    dispatch::{Dispatch, Dispatcher},
};

/// Unacknowledged messages, and their events that are not dispatched yet.
#[derive(Debug)]
pub(super) struct DeliveryBuffer {
    /// The connection on which they arrived.
    pub(super) connection: u32,
    waiting: Dispatcher<(u64, Envelope)>,
    open: BTreeMap<u64, OpenMessage>,
    /// The number of events in `waiting`.
    remaining: usize,
    /// Whether a message without events has arrived.
    has_empty_message: bool,
}

/// An unacknowledged message.
#[derive(Debug)]
pub(super) struct OpenMessage {
    pub(super) tag: u64,
    pub(super) message: StoredMessage,
    events: usize,
    /// The number of its events that are not processed yet.
    remaining: usize,
}

impl DeliveryBuffer {
    pub(super) const fn new(connection: u32, dispatch: Dispatch) -> Self {
        let waiting = Dispatcher::new(dispatch);
        Self { connection, waiting, open: BTreeMap::new(), remaining: 0, has_empty_message: false }
    }

    /// Whether there is nothing to process.
    pub(super) const fn is_empty(&self) -> bool {
        self.remaining == 0 && !self.has_empty_message
    }

    /// `ReorderingBuffer::receive`.
    pub(super) fn receive(&mut self, tag: u64, message: StoredMessage, now: DateTime<Utc>) {
        for envelope in message.events.iter() {
            let (priority, emitted) = (envelope.priority, envelope.time);
            self.waiting.push((tag, envelope.clone()), priority, emitted, now);
        }
        let events = message.events.len();
        self.remaining += events;
        self.has_empty_message |= events == 0;
        self.open.insert(tag, OpenMessage { tag, message, events, remaining: events });
    }

    pub(super) fn take(&mut self, now: DateTime<Utc>, limit: usize) -> Vec<(u64, Envelope)> {
        let batch = self.waiting.take(now, limit);
        self.remaining -= batch.len();
        batch
    }

    /// `ReorderingBuffer::finish`: one event of each of these messages is committed, for each time the
    /// message is listed. Returns the messages to acknowledge; with a bug, all that have a committed event.
    pub(super) fn finish(&mut self, tags: &[u64], is_premature: bool) -> Finished<OpenMessage> {
        self.has_empty_message = false;
        for tag in tags {
            if let Some(message) = self.open.get_mut(tag) {
                message.remaining -= 1;
            }
        }
        take_finished(&mut self.open, |message| {
            message.remaining == 0 || (is_premature && message.remaining < message.events)
        })
    }

    /// Whether a message has some but not all of its events committed.
    pub(super) fn is_between(&self) -> bool {
        self.open.values().any(|message| message.remaining < message.events)
    }
}
