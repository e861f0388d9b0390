//! The broker: a queue per slot group, a dead-letter queue, and publisher confirms.

use std::{collections::VecDeque, rc::Rc};

use envelope::Envelope;

/// The dead-letter queue; the queues before it belong to the slot groups.
pub(super) const DEAD: usize = 2;

/// How often a message may be redelivered before it is dead-lettered. Twenty in the kit.
const DELIVERY_LIMIT: u32 = 3;

/// A message in a queue.
#[derive(Debug, Clone)]
pub(super) struct StoredMessage {
    pub(super) events: Rc<Vec<Envelope>>,
    /// The number of redeliveries.
    returns: u32,
}

/// A delivered message.
#[derive(Debug)]
struct Unacknowledged {
    to: usize,
    tag: u64,
    message: StoredMessage,
}

#[derive(Debug, Default)]
struct Queue {
    ready: VecDeque<StoredMessage>,
    /// In order of delivery.
    unacknowledged: Vec<Unacknowledged>,
    /// The single active consumer.
    active: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Broker {
    queues: [Queue; DEAD + 1],
    /// Unanswered messages that may still be stored, with their queues.
    late: VecDeque<(usize, StoredMessage)>,
    /// The last delivery tag. On real channels, tags start again with each channel.
    last_tag: u64,
}

/// What a publisher learns about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirm {
    Acknowledged,
    /// The message may be in the queue nevertheless.
    Nacked,
    /// The message was returned, and confirmed nevertheless.
    Returned,
    /// Neither confirmed nor rejected. The message may be stored, now or later.
    Unanswered,
    /// The connection is lost, with the confirms of the whole round.
    Lost,
}

impl Broker {
    /// Accepts a message and responds: without a fault, or with the fault of this number.
    pub(super) fn publish(
        &mut self,
        events: Vec<Envelope>,
        queue: usize,
        response: usize,
    ) -> Confirm {
        let (confirm, is_stored) = match response {
            0 => (Confirm::Nacked, false),
            1 => (Confirm::Nacked, true),
            2 => (Confirm::Returned, false),
            3 => (Confirm::Lost, false),
            4 => (Confirm::Lost, true),
            5 | 7 => (Confirm::Unanswered, false),
            6 => (Confirm::Unanswered, true),
            _ => (Confirm::Acknowledged, true),
        };
        let stored = StoredMessage { events: Rc::new(events), returns: 0 };
        if is_stored {
            self.queues[queue].ready.push_back(stored);
        } else if response == 7 {
            self.late.push_back((queue, stored));
        }
        confirm
    }

    /// Stores the oldest late message, behind newer ones. Returns whether there was one.
    pub(super) fn store_late(&mut self) -> bool {
        let Some((queue, message)) = self.late.pop_front() else { return false };
        self.queues[queue].ready.push_back(message);
        true
    }

    /// Whether `queue` would deliver a message to `process`.
    pub(super) fn has_for(&self, queue: usize, process: usize) -> bool {
        let from = &self.queues[queue];
        let may = queue == DEAD || from.active.is_none_or(|active| active == process);
        may && !from.ready.is_empty()
    }

    /// Delivers up to `most` messages with their tags. A queue serves one process at a time, except the
    /// dead-letter queue.
    pub(super) fn take(
        &mut self,
        queue: usize,
        process: usize,
        most: usize,
    ) -> Vec<(u64, Rc<Vec<Envelope>>)> {
        let from = &mut self.queues[queue];
        if queue != DEAD {
            from.active = Some(process);
        }
        let count = most.min(from.ready.len());
        let mut taken = Vec::with_capacity(count);
        for message in from.ready.drain(..count) {
            self.last_tag += 1;
            taken.push((self.last_tag, message.events.clone()));
            from.unacknowledged.push(Unacknowledged { to: process, tag: self.last_tag, message });
        }
        taken
    }

    /// Removes the messages with these tags, which `process` acknowledges.
    pub(super) fn acknowledge(
        &mut self,
        queue: usize,
        process: usize,
        is_meant: impl Fn(u64) -> bool,
    ) -> Vec<Rc<Vec<Envelope>>> {
        let unacknowledged = &mut self.queues[queue].unacknowledged;
        let is_gone = |handed: &mut Unacknowledged| handed.to == process && is_meant(handed.tag);
        let gone = unacknowledged.extract_if(.., is_gone);
        gone.map(|handed| handed.message.events).collect()
    }

    /// The connection of `process` ends: its unacknowledged messages return to the front in order, or are
    /// dead-lettered. Returns the number of the latter.
    pub(super) fn disconnect(&mut self, process: usize) -> usize {
        let mut given_up = Vec::new();
        for (number, queue) in self.queues.iter_mut().enumerate() {
            let (back, others) = std::mem::take(&mut queue.unacknowledged)
                .into_iter()
                .partition(|handed| handed.to == process);
            queue.unacknowledged = others;
            let back: Vec<Unacknowledged> = back;
            for Unacknowledged { message: mut stored, .. } in back.into_iter().rev() {
                stored.returns += 1;
                if number != DEAD && stored.returns > DELIVERY_LIMIT {
                    given_up.push(StoredMessage { returns: 0, ..stored });
                } else {
                    queue.ready.push_front(stored);
                }
            }
            if queue.active == Some(process) {
                queue.active = None;
            }
        }
        let count = given_up.len();
        self.queues[DEAD].ready.extend(given_up.into_iter().rev());
        count
    }

    /// Whether all queues are empty.
    pub(super) fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.ready.is_empty() && queue.unacknowledged.is_empty())
    }
}
