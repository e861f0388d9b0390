//! The broker: for each subscriber a queue per slot group and a dead-letter queue; the queue of requests, and publisher confirms.

use std::{collections::VecDeque, rc::Rc};

use envelope::Envelope;

use super::{events::PUBLISHER, limits::SUBSCRIBERS};
use crate::{
    consume::received_positions::Request,
    message_position::{ArrivedPosition, MessagePosition, Purpose},
};

/// The queues of a subscriber.
pub(super) const QUEUES: usize = 3;

/// The dead-letter queue of a subscriber; the queues before it belong to the slot groups.
pub(super) const DEAD: usize = 2;

/// How often a message may be redelivered before it is dead-lettered. Twenty in the kit.
const DELIVERY_LIMIT: u32 = 3;

/// The number of a queue among those of all subscribers.
pub(super) const fn queue_of(subscriber: usize, queue: usize) -> usize {
    subscriber * QUEUES + queue
}

/// A message in a queue.
#[derive(Debug, Clone)]
pub(super) struct StoredMessage {
    pub(super) events: Rc<Vec<Envelope>>,
    pub(super) position: MessagePosition,
    pub(super) purpose: Purpose,
    /// The only subscriber that it is for, unless it is for all.
    pub(super) addressee: Option<usize>,
    /// The number of redeliveries.
    returns: u32,
}

impl StoredMessage {
    pub(super) const fn new(
        events: Rc<Vec<Envelope>>,
        position: MessagePosition,
        purpose: Purpose,
        addressee: Option<usize>,
    ) -> Self {
        Self { events, position, purpose, addressee, returns: 0 }
    }

    /// Its position as it arrives.
    pub(super) fn arrived(&self) -> ArrivedPosition {
        ArrivedPosition {
            publisher: PUBLISHER.to_owned(),
            position: self.position,
            purpose: self.purpose,
            is_redelivered: self.returns > 0,
        }
    }
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
    queues: [Queue; SUBSCRIBERS * QUEUES],
    /// Unanswered messages that may still be stored, with their queues.
    late: VecDeque<(usize, StoredMessage)>,
    /// The queue without a majority: it accepts messages and neither confirms nor delivers them.
    silent: Option<usize>,
    /// The last delivery tag. On real channels, tags start again with each channel.
    last_tag: u64,
    /// The requests for missing messages, with their subscribers.
    pub(super) requests: VecDeque<(usize, Request)>,
}

/// What happens to a published message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Response {
    /// A fault, or none.
    pub(super) number: usize,
    /// The subscribers that receive the message, as bits, if the fault concerns some of them.
    pub(super) receivers: usize,
}

impl Response {
    /// The responses without a fault and with one.
    pub(super) const COUNT: usize = 10;

    /// The response without a fault.
    pub(super) const STORED: Self = Self { number: Self::COUNT - 1, receivers: usize::MAX };

    /// The message is confirmed, but a queue has lost its binding.
    pub(super) const LOST_BINDING: usize = 8;
}

/// What a publisher learns about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirm {
    Acknowledged,
    /// The message may be in queues nevertheless.
    Nacked,
    /// The message was returned, and confirmed nevertheless.
    Returned,
    /// Neither confirmed nor rejected. The message may be stored, now or later.
    Unanswered,
    /// The connection is lost, with the confirms of the whole round.
    Lost,
}

impl Broker {
    /// Accepts a message for the queues `group` of all subscribers. Returns the confirm, and the subscribers that do not receive the
    /// message although it is confirmed.
    pub(super) fn publish(
        &mut self,
        message: &StoredMessage,
        group: usize,
        Response { number, receivers }: Response,
    ) -> (Confirm, Vec<usize>) {
        let (confirm, is_stored) = match number {
            0 => (Confirm::Nacked, false),
            1 => (Confirm::Nacked, true),
            2 => (Confirm::Returned, false),
            3 => (Confirm::Lost, false),
            4 => (Confirm::Lost, true),
            5 | 7 => (Confirm::Unanswered, false),
            6 => (Confirm::Unanswered, true),
            _ => (Confirm::Acknowledged, true),
        };
        let (mut confirm, mut missed) = (confirm, Vec::new());
        for subscriber in 0..SUBSCRIBERS {
            let queue = queue_of(subscriber, group);
            let is_meant = receivers & (1 << subscriber) != 0;
            if is_meant && is_stored && self.silent != Some(queue) {
                self.queues[queue].ready.push_back(message.clone());
            } else if is_meant && (is_stored || number == 7) {
                self.late.push_back((queue, message.clone()));
                if confirm == Confirm::Acknowledged {
                    confirm = Confirm::Unanswered;
                }
            } else {
                missed.push(subscriber);
            }
        }
        if confirm != Confirm::Acknowledged {
            missed.clear();
        }
        (confirm, missed)
    }

    /// Accepts a message for one queue, through the default exchange. Returns whether it is confirmed.
    pub(super) fn send(&mut self, queue: usize, message: StoredMessage) -> bool {
        if self.silent == Some(queue) {
            self.late.push_back((queue, message));
            return false;
        }
        self.queues[queue].ready.push_back(message);
        true
    }

    /// Stores the oldest late message, behind newer ones. Returns whether there was one.
    pub(super) fn store_late(&mut self) -> bool {
        let silent = self.silent;
        let is_possible = |(queue, _): &(usize, StoredMessage)| silent != Some(*queue);
        let Some(place) = self.late.iter().position(is_possible) else { return false };
        let Some((queue, message)) = self.late.remove(place) else { return false };
        self.queues[queue].ready.push_back(message);
        true
    }

    /// The queue has no majority, and its consumers are cancelled.
    pub(super) fn silence(&mut self, queue: usize) {
        self.silent = Some(queue);
        let of_queue = &mut self.queues[queue];
        for handed in of_queue.unacknowledged.drain(..).rev() {
            of_queue.ready.push_front(handed.message);
        }
        of_queue.active = None;
    }

    /// The queue has a majority again.
    pub(super) const fn heal(&mut self) {
        self.silent = None;
    }

    /// Deletes a queue with its messages, which are returned; it is declared again at once.
    pub(super) fn delete(&mut self, queue: usize) -> Vec<StoredMessage> {
        let Queue { ready, unacknowledged, .. } = std::mem::take(&mut self.queues[queue]);
        unacknowledged.into_iter().map(|handed| handed.message).chain(ready).collect()
    }

    /// Whether `queue` would deliver a message to `process`.
    pub(super) fn has_for(&self, queue: usize, process: usize) -> bool {
        let from = &self.queues[queue];
        let is_dead = queue % QUEUES == DEAD;
        let may = is_dead || from.active.is_none_or(|active| active == process);
        may && !from.ready.is_empty() && self.silent != Some(queue)
    }

    /// Whether another process than `process` consumes a queue.
    pub(super) fn serves_another(&self, queue: usize, process: usize) -> bool {
        self.queues[queue].active.is_some_and(|active| active != process)
    }

    /// Delivers up to `most` messages with their tags. A queue serves one process at a time, except the
    /// dead-letter queue.
    pub(super) fn take(
        &mut self,
        queue: usize,
        process: usize,
        most: usize,
    ) -> Vec<(u64, StoredMessage)> {
        let from = &mut self.queues[queue];
        if queue % QUEUES != DEAD {
            from.active = Some(process);
        }
        let count = most.min(from.ready.len());
        let mut taken = Vec::with_capacity(count);
        for message in from.ready.drain(..count) {
            self.last_tag += 1;
            taken.push((self.last_tag, message.clone()));
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
    ) -> Vec<StoredMessage> {
        let unacknowledged = &mut self.queues[queue].unacknowledged;
        let is_gone = |handed: &mut Unacknowledged| handed.to == process && is_meant(handed.tag);
        let gone = unacknowledged.extract_if(.., is_gone);
        gone.map(|handed| handed.message).collect()
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
                if number % QUEUES != DEAD && stored.returns > DELIVERY_LIMIT {
                    let dead = queue_of(number / QUEUES, DEAD);
                    given_up.push((dead, StoredMessage { returns: 0, ..stored }));
                } else {
                    queue.ready.push_front(stored);
                }
            }
            if queue.active == Some(process) {
                queue.active = None;
            }
        }
        let count = given_up.len();
        for (dead, message) in given_up.into_iter().rev() {
            self.queues[dead].ready.push_back(message);
        }
        count
    }

    /// Whether the queues of a subscriber are empty.
    pub(super) fn is_empty(&self, subscriber: usize) -> bool {
        let queues = &self.queues[queue_of(subscriber, 0)..queue_of(subscriber + 1, 0)];
        queues.iter().all(|queue| queue.ready.is_empty() && queue.unacknowledged.is_empty())
    }
}
