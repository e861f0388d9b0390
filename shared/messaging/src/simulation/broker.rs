//! The broker: one queue for each slot group, one for what it gives up, and answers to what is published.

use std::{collections::VecDeque, rc::Rc};

use envelope::Envelope;

use super::world::World;

/// The queue of what the broker gives up; those before it are of the slot groups.
pub(super) const DEAD: usize = 2;

/// How often a message may come back before the broker gives it up. Twenty in the kit.
const DELIVERY_LIMIT: u32 = 3;

/// A message as it lies in a queue.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) events: Rc<Vec<Envelope>>,
    /// How often it has come back.
    returns: u32,
}

/// A message that is handed out.
#[derive(Debug)]
struct Handed {
    to: usize,
    tag: u64,
    message: Stored,
}

/// A quorum queue.
#[derive(Debug, Default)]
struct Queue {
    ready: VecDeque<Stored>,
    /// What is handed out and not acknowledged, in order.
    unacknowledged: Vec<Handed>,
    /// The single active consumer.
    active: Option<usize>,
}

/// All queues.
#[derive(Debug, Default)]
pub(super) struct Broker {
    queues: [Queue; DEAD + 1],
    /// The last delivery tag. Those of real channels begin anew with each.
    last_tag: u64,
}

/// What a publisher hears of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirm {
    /// It is on disk.
    Acknowledged,
    /// It was refused, though it may be in the queue.
    Refused,
    /// It came back, and was confirmed as if it had not.
    Returned,
    /// Nothing, and nothing of the others of its round: the connection is lost.
    Lost,
}

impl Broker {
    /// Takes a message, and answers.
    pub(super) fn publish(world: &mut World, events: Vec<Envelope>, queue: usize) -> Confirm {
        let dice = if world.faults > 0 { world.random.weighted(world.weights.confirms) } else { 5 };
        let (confirm, is_stored) = match dice {
            0 => (Confirm::Refused, false),
            1 => (Confirm::Refused, true),
            2 => (Confirm::Returned, false),
            3 => (Confirm::Lost, false),
            4 => (Confirm::Lost, true),
            _ => (Confirm::Acknowledged, true),
        };
        if is_stored {
            let stored = Stored { events: Rc::new(events), returns: 0 };
            world.broker.queues[queue].ready.push_back(stored);
        }
        confirm
    }

    /// Whether `process` would get anything from `queue`.
    pub(super) fn has_for(&self, queue: usize, process: usize) -> bool {
        let from = &self.queues[queue];
        let may = queue == DEAD || from.active.is_none_or(|active| active == process);
        may && !from.ready.is_empty()
    }

    /// Hands out up to `most` messages with their tags. Only one process is served by a queue at a time, but for the queue of the dead.
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
            from.unacknowledged.push(Handed { to: process, tag: self.last_tag, message });
        }
        taken
    }

    /// Forgets what `process` has from `queue` and acknowledges: the messages with these tags.
    pub(super) fn acknowledge(
        &mut self,
        queue: usize,
        process: usize,
        is_meant: impl Fn(u64) -> bool,
    ) -> Vec<Rc<Vec<Envelope>>> {
        let unacknowledged = &mut self.queues[queue].unacknowledged;
        let is_gone = |handed: &mut Handed| handed.to == process && is_meant(handed.tag);
        let gone = unacknowledged.extract_if(.., is_gone);
        gone.map(|handed| handed.message.events).collect()
    }

    /// The connection of `process` is gone: what it has not acknowledged is at the front again, in order, or given up.
    /// Says how many messages were given up.
    pub(super) fn disconnect(&mut self, process: usize) -> usize {
        let mut given_up = Vec::new();
        for (number, queue) in self.queues.iter_mut().enumerate() {
            let (back, others) = std::mem::take(&mut queue.unacknowledged)
                .into_iter()
                .partition(|handed| handed.to == process);
            queue.unacknowledged = others;
            let back: Vec<Handed> = back;
            for Handed { message: mut stored, .. } in back.into_iter().rev() {
                stored.returns += 1;
                if number != DEAD && stored.returns > DELIVERY_LIMIT {
                    given_up.push(Stored { returns: 0, ..stored });
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

    /// Whether nothing is in any queue.
    pub(super) fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.ready.is_empty() && queue.unacknowledged.is_empty())
    }
}
