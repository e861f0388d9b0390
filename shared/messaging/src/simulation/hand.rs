//! What a lane has in hand that takes events in an order of its own: the kit's `Reordered`, around its `Dispatcher` and its
//! `settle`.

use std::{collections::BTreeMap, rc::Rc};

use chrono::{DateTime, Utc};
use envelope::Envelope;

use crate::consumer::{
    dispatch::{Dispatch, Dispatcher},
    hand::{Settled, settle},
};

/// Messages that are not acknowledged, and those of their events that are not taken.
#[derive(Debug)]
pub(super) struct Hand {
    /// The connection on which they came.
    pub(super) connection: u32,
    waiting: Dispatcher<(u64, Envelope)>,
    open: BTreeMap<u64, Open>,
    /// How many events are in `waiting`.
    left: usize,
}

/// A message that is not acknowledged.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) tag: u64,
    events: usize,
    /// How many of them are not dealt with.
    left: usize,
}

impl Hand {
    pub(super) const fn new(connection: u32, dispatch: Dispatch) -> Self {
        let waiting = Dispatcher::new(dispatch);
        Self { connection, waiting, open: BTreeMap::new(), left: 0 }
    }

    /// Whether nothing waits to be taken.
    pub(super) const fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// `Reordered::receive`.
    pub(super) fn receive(&mut self, tag: u64, message: &Rc<Vec<Envelope>>, now: DateTime<Utc>) {
        for envelope in message.iter() {
            let (priority, said) = (envelope.priority, envelope.time);
            self.waiting.push((tag, envelope.clone()), priority, said, now);
        }
        let events = message.len();
        self.left += events;
        self.open.insert(tag, Open { tag, events, left: events });
    }

    /// The next batch.
    pub(super) fn take(&mut self, now: DateTime<Utc>, limit: usize) -> Vec<(u64, Envelope)> {
        let taken = self.waiting.take(now, limit);
        self.left -= taken.len();
        taken
    }

    /// `Reordered::done`: an event of each of these messages is committed, as often as the message is named. What can be
    /// acknowledged then; with a bug, whatever has one event committed.
    pub(super) fn done(&mut self, tags: &[u64], is_hasty: bool) -> Settled<Open> {
        for tag in tags {
            if let Some(message) = self.open.get_mut(tag) {
                message.left -= 1;
            }
        }
        settle(&mut self.open, |message| {
            message.left == 0 || (is_hasty && message.left < message.events)
        })
    }

    /// Whether some but not all events of a message are committed.
    pub(super) fn is_between(&self) -> bool {
        self.open.values().any(|message| message.left < message.events)
    }
}
