//! The invariants that hold when all work is done.

use envelope::Envelope;

use super::{
    broker::StoredMessage,
    database::Database,
    events::{EmittedEvent, number},
    letter::{Letter, State},
    limits::SUBSCRIBERS,
    world::World,
};
use crate::consume::plan::{Hold, Position};

impl World {
    /// Checks all invariants of all subscribers, except one with a fault that has not ended. `is_clear` tells that all dead letters are
    /// resolved.
    pub(super) fn check(&mut self, is_clear: bool) {
        if let Some((slot, position)) = self.publisher.doubled_position() {
            self.violated(|| format!("position {position} of slot {slot} is in the log twice"));
        }
        for subscriber in 0..SUBSCRIBERS {
            if self.broken.is_none_or(|broken| broken.subscriber != subscriber) {
                self.turn_to(subscriber);
                self.check_subscriber(is_clear);
            }
        }
    }

    fn check_subscriber(&mut self, is_clear: bool) {
        let wrong = self.unfinished().or_else(|| {
            if self.is_of_state() {
                return (0..self.keys).find_map(|key| self.state_violation(key, is_clear));
            }
            let key = (0..self.keys).find_map(|key| self.key_violation(key, is_clear));
            key.or_else(|| {
                let emitted = self.emitted.iter().enumerate();
                let mut emitted = emitted.filter_map(|(event, emitted)| Some((event, (*emitted)?)));
                emitted.find_map(|(event, emitted)| self.event_violation(event, emitted, is_clear))
            })
        });
        let wrong = wrong.or_else(|| self.missing_messages());
        let wrong = wrong.or_else(|| self.unreported_loss());
        if let Some(wrong) = wrong {
            let acting = self.acting;
            self.violated(|| format!("subscriber {acting}: {wrong}"));
        }
    }

    /// All messages that were published must have arrived, if nothing is broken any more. A process that dies over an event forgets those
    /// of the last second.
    fn missing_messages(&self) -> Option<String> {
        let is_known = self.broken.is_none() && self.handler.deaths.is_empty();
        let mut last = self.publisher.slot_positions.iter().filter(|_| is_known);
        last.find_map(|(slot, last)| {
            let received = self.database.received.get(slot);
            let is_complete =
                received.is_some_and(|row| row.received >= *last && row.missing.is_empty());
            let is_over = self.has_left_the_log(*slot, *last);
            (!is_complete && !is_over)
                .then(|| format!("messages of slot {slot} are missing, of {last}: {received:?}"))
        })
    }

    /// Acknowledged messages must be processed completely.
    pub(super) fn check_acknowledged(&mut self, messages: &[StoredMessage]) {
        let mut events = messages.iter().flat_map(|message| message.events.iter());
        if let Some(open) = events.find(|envelope| !self.is_processed(envelope)) {
            let (key, sequence) = (number(&open.subject), open.sequence);
            self.violated(|| format!("{key}/{sequence} is acknowledged but not processed"));
        }
    }

    /// Whether an event is behind the cursor, parked, dead, or without a handler.
    fn is_processed(&self, envelope: &Envelope) -> bool {
        let (key, sequence) = (number(&envelope.subject), envelope.sequence);
        let Database { cursors, parked, letters, .. } = &self.database;
        let is_ignored = || !self.handler.handles(&envelope.kind);
        sequence <= cursors[key].unwrap_or(Position::START).last
            || parked.contains_key(&(key, sequence))
            || letters.iter().any(|letter| letter.key == key && letter.sequence == sequence)
            || (self.is_of_state() && is_ignored())
    }

    /// Nothing may be in flight.
    fn unfinished(&self) -> Option<String> {
        let stops = |slot| self.broken.is_some_and(|broken| broken.stops(slot));
        if let Some(row) = self.publisher.outbox.iter().find(|row| !stops(row.slot)) {
            let key = number(&row.key);
            return Some(format!("{key}/{} is still in the outbox", row.seq));
        }
        if !self.broker.is_empty(self.acting) {
            return Some("there are messages in the queues".to_owned());
        }
        let sequence_locks = &self.publisher.sequence_locks;
        let is_locked =
            self.database.cursor_locks.iter().chain(sequence_locks).any(Option::is_some);
        is_locked.then(|| "a lock has no holder".to_owned())
    }

    /// Whether an event waits for a broken queue.
    pub(super) fn waits_in_outbox(&self, event: usize, key: usize) -> bool {
        let id = uuid::Uuid::from_u128(u128::try_from(event).unwrap());
        self.broken.is_some_and(|broken| broken.stops_key(key))
            && self.publisher.outbox.iter().any(|row| row.event_id == id)
    }

    /// The hold of a key must match its parked events and letters.
    fn key_violation(&self, key: usize, is_clear: bool) -> Option<String> {
        let Position { last, hold } = self.database.cursors[key].unwrap_or(Position::START);
        let letters = self.database.letters.iter().filter(|letter| letter.key == key);
        let pending: Vec<_> = letters.filter(|letter| letter.state == State::Pending).collect();
        let waits = self.database.parked.keys().any(|(of, _)| *of == key);
        let expected = match (pending.iter().any(|letter| letter.is_blocking()), waits) {
            (true, _) => Hold::Blocked,
            (false, true) => Hold::Parked,
            (false, false) => Hold::Free,
        };
        if hold != expected {
            return Some(format!("key {key} is {hold:?} instead of {expected:?}"));
        }
        let first = self.database.parked.range((key, 0)..(key + 1, 0)).next();
        let first = first.map(|((_, sequence), _)| *sequence);
        let has_letter = |sequence: i64| pending.iter().any(|letter| letter.sequence == sequence);
        // All timeouts have passed: only an operator or a missing predecessor could help.
        let is_due = first.is_some_and(|sequence| sequence <= last + 1 || !has_letter(sequence));
        if is_due && expected != Hold::Blocked {
            return Some(format!("events of key {key} are parked without a reason"));
        }
        if let Some(letter) = pending.iter().find(|letter| letter.passed && letter.sequence > last)
        {
            let sequence = letter.sequence;
            return Some(format!(
                "the cursor of {key} is at {last} and has passed the letter {sequence}"
            ));
        }
        let is_applied =
            |letter: &&&Letter| !letter.passed && !letter.is_detached && letter.sequence <= last;
        if let Some(letter) = pending.iter().find(is_applied) {
            let sequence = letter.sequence;
            return Some(format!("{key}/{sequence} is applied and still a pending letter"));
        }
        (is_clear && !pending.is_empty())
            .then(|| format!("key {key} cannot be cleared of its letters"))
    }

    /// Every event was applied once or is accounted for: it has no handler, it is a pending or discarded
    /// letter, it was given up with a later letter, or it waits behind a letter. A redriven letter must have
    /// an effect.
    fn event_violation(
        &self,
        event: usize,
        emitted: EmittedEvent,
        is_clear: bool,
    ) -> Option<String> {
        let EmittedEvent { key, sequence, kind } = emitted;
        let Database { effects, letters, parked, given_up, .. } = &self.database;
        let count = effects.iter().filter(|effect| effect.event == event).count();
        let letters: Vec<_> = letters.iter().filter(|letter| letter.event == event).collect();
        let is_in = |state| letters.iter().any(|letter| letter.state == state);
        let is_dead = letters.iter().any(|letter| letter.passed && letter.state != State::Redriven);
        if count == 1 && !is_dead {
            return None;
        }
        if count == 0 && (self.may_be_lost(event) || self.waits_in_outbox(event, key)) {
            return None;
        }
        if count >= 1 {
            return Some(format!(
                "{key}/{sequence} was applied {count} times, and is dead: {is_dead}"
            ));
        }
        let is_given_up =
            |(of, from, to): &(usize, i64, i64)| *of == key && (*from + 1..*to).contains(&sequence);
        let is_given_up = is_in(State::Discarded) || given_up.iter().any(is_given_up);
        let waits = is_in(State::Pending) || parked.contains_key(&(key, sequence));
        let is_accounted_for = if self.handler.handles(kind) {
            (is_given_up && !is_in(State::Redriven)) || (!is_clear && waits)
        } else {
            sequence <= self.letters_of_key(key).position.last || (!is_clear && waits)
        };
        (!is_accounted_for).then(|| format!("{key}/{sequence} is lost"))
    }
}
