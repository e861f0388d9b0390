//! What the leading relay sends again: answers to requests, reminders, and what an operator republishes.

use std::rc::Rc;

use super::{
    broker::{StoredMessage, queue_of},
    bugs::Bug,
    events::group_of,
    journal::Operation,
    limits::{QUIET_TIME, SUBSCRIBERS},
    relay::{GivenOut, Relay},
    world::World,
};
use crate::{
    consume::received_positions::Request,
    message_position::{Absence, MessagePosition, PositionRange, Purpose},
    publish::{
        answers::{Answer, answers},
        message_copies::{LastPosition, MessageCopy},
    },
};

/// The number of events of a copy.
fn count(copy: &MessageCopy) -> usize {
    usize::try_from(copy.events).unwrap()
}

impl Relay {
    /// `Answers::answer` for the oldest request, if this relay leads. Returns whether there was one.
    pub(super) fn answer(&mut self, world: &mut World) -> bool {
        if world.broker.requests.is_empty() {
            return false;
        }
        if self.renewed.is_none() {
            return self.renew(world).is_some();
        }
        let Some((subscriber, request)) = world.broker.requests.pop_front() else { return false };
        let id = self.id;
        world.note(|| format!("relay {id} answers subscriber {subscriber}: {:?}", request.ranges));
        let Request { slot, history, ranges, .. } = &request;
        let shift = usize::from(world.has(Bug::AnswerToAnother));
        let to = (subscriber + shift) % SUBSCRIBERS;
        for range in ranges {
            let mut rest = Some(*range);
            while let Some(range) = rest {
                let mut last = world.publisher.last_position(*slot);
                last.may_grow &= !world.has(Bug::GrowingIsDenied);
                let copies = world.publisher.copies(*slot, range);
                world.record(|world| {
                    let LastPosition { number, may_grow } = world.publisher.last_position(*slot);
                    Operation::LastPosition { slot: *slot, number, may_grow }
                });
                world.record(|_| {
                    let found = copies.iter().map(|copy| (copy.number, count(copy)));
                    Operation::Copies { slot: *slot, range, found: found.collect() }
                });
                let (found, next) = answers(copies, *slot, *history, range, last);
                if found.iter().any(Answer::is_unknown) && *history == world.publisher.history {
                    world.note(|| "a new history begins".to_owned());
                    world.publisher.history += 1;
                    self.reload_positions(world);
                }
                for Answer { position, purpose, body } in found {
                    world.count_answer(purpose);
                    let events = match purpose {
                        Purpose::Absent { .. } => Rc::default(),
                        Purpose::New | Purpose::Again | Purpose::Reminder => {
                            world.publisher.events_of(&body)
                        }
                    };
                    let answer = StoredMessage::new(events, position, purpose, Some(subscriber));
                    let is_stored = world.send(to, answer);
                    if !is_stored && world.has(Bug::AnswersWaitForBroken) {
                        world.broker.requests.push_front((subscriber, request));
                        return true;
                    }
                }
                rest = next;
            }
        }
        true
    }

    /// `Reminders`: sends the last message of each quiet slot again, once.
    pub(super) fn remind(&mut self, world: &mut World) -> bool {
        if self.begun.is_none() && !world.has(Bug::NotRemindedAfterTakeover) {
            return self.renew(world).is_some();
        }
        let (now, Some((_, epoch))) = (world.clock, self.renewed) else { return false };
        let Some(GivenOut { history, slots, .. }) = &mut self.given_out else { return false };
        let is_quiet =
            |last: &&mut super::relay::Last| !last.is_reminded && last.at + QUIET_TIME < now;
        let mut quiet = Vec::new();
        for (slot, last) in slots {
            if let Some(last) = Some(last).filter(is_quiet) {
                last.is_reminded = true;
                quiet.push(MessagePosition { history: *history, slot: *slot, number: last.number });
            }
        }
        if quiet.is_empty() || world.has(Bug::NoReminder) {
            return false;
        }
        let id = self.id;
        world.note(|| format!("relay {id} sends the last messages again, epoch {epoch}"));
        for position in quiet {
            let range = PositionRange { first: position.number, last: position.number };
            let copy = world.publisher.copies(position.slot, range).into_iter().next();
            if let Some(copy) = copy {
                world.coverage.reminders += 1;
                let events = world.publisher.events_of(&copy.body);
                let message = StoredMessage::new(events, position, Purpose::Reminder, None);
                world.publish(&message, group_of(position.slot));
            }
        }
        true
    }
}

impl World {
    /// `Republisher::republish` to one subscriber, from a random message on. It ends at a message that is not confirmed.
    pub(super) fn republish(&mut self, subscriber: usize) {
        let first = self.random.below(self.publisher.log.len() + 1);
        self.note(|| format!("messages are published again for subscriber {subscriber}"));
        let history = self.publisher.history;
        for message in self.publisher.log.clone().into_iter().skip(first) {
            if message.events.is_empty() {
                continue;
            }
            self.coverage.republished += 1;
            let position =
                MessagePosition { history, slot: message.slot, number: message.position };
            let copy =
                StoredMessage::new(message.events, position, Purpose::Again, Some(subscriber));
            let is_stored = if self.has(Bug::RepublishToAll) {
                (0..SUBSCRIBERS).all(|to| self.send(to, copy.clone()))
            } else {
                self.send(subscriber, copy)
            };
            if !is_stored {
                return;
            }
        }
    }

    /// Publishes a message for one queue. Returns whether it is confirmed.
    fn send(&mut self, subscriber: usize, message: StoredMessage) -> bool {
        if self.fault(5) {
            return false;
        }
        let queue = queue_of(subscriber, group_of(message.position.slot));
        self.broker.send(queue, message)
    }

    const fn count_answer(&mut self, purpose: Purpose) {
        let coverage = &mut self.coverage;
        match purpose {
            Purpose::Absent { why: Absence::Unused, .. } => coverage.unused += 1,
            Purpose::Absent { why: Absence::Expired, .. } => coverage.expired += 1,
            Purpose::Absent { why: Absence::Unknown, .. } => coverage.unknown_positions += 1,
            Purpose::New | Purpose::Again | Purpose::Reminder => coverage.sent_again += 1,
        }
    }
}
