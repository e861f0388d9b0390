//! The statements of `consume::dead_letter` and `dead_letters`.

use super::{
    bugs::Bug,
    events::{NOVEL, event, number},
    journal::Operation,
    letter::{Letter, State},
    limits::MAX_STARTS,
    world::World,
};
use crate::{
    consume::{
        dead_letter::{DECLARED_LOST, MISSING_PREDECESSOR},
        plan::{Decision, Hold, Position},
        received_event::ReceivedEvent,
        subscription::{OnReject, Ordering},
    },
    dead_letters::plan::{KeyLetters, missing_before},
};

/// No consumer, and none of the locks of retries.
const OPERATOR: usize = usize::MAX;

impl World {
    /// `dead_letter::record`: an event has at most one pending letter.
    pub(super) fn record_dead_letter(
        &mut self,
        received: &ReceivedEvent,
        reason: &'static str,
        passed: bool,
    ) {
        let envelope = &received.envelope;
        let (key, sequence) = (number(&envelope.subject), envelope.sequence);
        let starts = self.database.parked.get(&(key, sequence)).map_or(0, |row| row.starts);
        // In a state subscription the starts are read with the event, and another process may have parked a
        // new copy since. A process that does not know the type may have taken a start back.
        let is_exact = !self.is_of_state() && envelope.kind != NOVEL;
        if reason == "starts_exhausted" && starts <= MAX_STARTS && is_exact {
            self.violated(|| format!("{key}/{sequence} is dead after only {starts} starts"));
        }
        self.coverage.dead += 1;
        self.coverage.missing_predecessor += u64::from(reason == MISSING_PREDECESSOR);
        self.note(|| format!("    {key}/{sequence} becomes a dead letter: {reason}"));
        let skips_update = self.has(Bug::RejectedCopyIgnored);
        let mut letters = self.database.letters.iter_mut();
        let pending = letters.find(|letter| {
            letter.key == key && letter.sequence == sequence && letter.state == State::Pending
        });
        match pending {
            Some(letter)
                if !letter.passed && (passed || letter.reason != reason) && !skips_update =>
            {
                (letter.passed, letter.reason) = (passed, reason);
            }
            Some(_) => {}
            None => self.database.letters.push(Letter {
                event: event(envelope),
                key,
                sequence,
                envelope: envelope.clone(),
                reason,
                blocks: self.ordering == Ordering::Sequenced(OnReject::BlockKey)
                    && reason != DECLARED_LOST,
                passed,
                state: State::Pending,
                is_detached: false,
            }),
        }
    }

    /// `dead_letters::declare_lost`: one transaction.
    pub(super) fn declare_lost(&mut self, index: usize) {
        let Letter { key, sequence, reason, .. } = self.database.letters[index];
        let is_of_reason = reason == MISSING_PREDECESSOR && !self.is_of_state();
        if !is_of_reason || self.database.cursor_locks[key].is_some() {
            return;
        }
        let mut position = self.database.cursors[key].unwrap_or(Position::START);
        let is_waiting = |letter: &&Letter| {
            letter.key == key && letter.state == State::Pending && !letter.passed
        };
        let letters = self.database.letters.iter().filter(is_waiting).map(|one| one.sequence);
        let parked = self.database.parked.range((key, 0)..(key + 1, 0));
        let waiting = parked.map(|((_, sequence), _)| *sequence).chain(letters);
        let first = waiting.filter(|sequence| *sequence > position.last).min();
        let first = if self.has(Bug::PresentIsLost) { first.max(Some(sequence)) } else { first };
        let Some(missing) = missing_before(position.last, first) else { return };
        self.note(|| format!("operator declares {missing:?} of key {key} lost"));
        let (first, last) = (*missing.start(), *missing.end());
        position.last = last;
        for number in missing {
            self.coverage.lost += 1;
            self.database.lost.insert((key, number), false);
        }
        self.database.cursors[key] = Some(position);
        self.settle(key, OPERATOR);
        self.record(|_| Operation::DeclareLost { letter: index, first, last });
    }

    /// `lost_events::mark`.
    pub(super) fn mark_lost(&self, events: &[ReceivedEvent], decisions: &mut [Decision]) {
        for (one, decision) in events.iter().zip(decisions) {
            let position = (number(&one.envelope.subject), one.envelope.sequence);
            if *decision == Decision::Duplicate && self.database.lost.contains_key(&position) {
                *decision = Decision::Late;
            }
        }
    }

    /// `BatchProcessor::record_late_event`.
    pub(super) fn record_late_event(&mut self, received: &ReceivedEvent) {
        let position = (number(&received.envelope.subject), received.envelope.sequence);
        let before = self.database.lost.insert(position, true);
        if before == Some(false) || self.has(Bug::LateCountedTwice) {
            self.coverage.arrived += 1;
            self.record_dead_letter(received, DECLARED_LOST, true);
        }
    }

    /// What older versions did with an event whose predecessor is missing: only its letter remained.
    pub(super) fn detach(&mut self, key: usize, sequence: i64) {
        self.database.parked.remove(&(key, sequence));
        let is_of_event = |letter: &&mut Letter| letter.key == key && letter.sequence == sequence;
        for letter in self.database.letters.iter_mut().filter(is_of_event) {
            letter.is_detached = true;
        }
    }

    /// `dead_letter::resolve_applied` for one event.
    pub(super) fn resolve_applied(&mut self, key: usize, sequence: i64) {
        if self.has(Bug::RevivedStaysDead) {
            return;
        }
        let is_of_event = |letter: &&mut Letter| letter.key == key && letter.sequence == sequence;
        for letter in self.database.letters.iter_mut().filter(is_of_event) {
            if letter.state == State::Pending {
                letter.state = State::Redriven;
                self.coverage.revived += 1;
            }
        }
    }

    /// `LockedBatch::open`: the cursor of a key, and its pending letters.
    pub(super) fn letters_of_key(&self, key: usize) -> KeyLetters {
        let mut letters_of_key =
            KeyLetters::new(self.database.cursors[key].unwrap_or(Position::START));
        let letters = self.database.letters.iter();
        for letter in letters.filter(|letter| letter.key == key && letter.state == State::Pending) {
            let hold = letters_of_key.position.hold;
            letters_of_key.pending.insert(letter.sequence, letter.pending(hold));
        }
        letters_of_key
    }

    /// `LockedBatch::close`, without the new state of the letters.
    pub(super) fn close(&mut self, key: usize, after: &KeyLetters) {
        let (skips_marking, is_premature) =
            (self.has(Bug::LeapNotMarked), self.has(Bug::UnblockedTooEarly));
        for letter in self.database.letters.iter_mut().filter(|letter| letter.key == key) {
            if let Some(pending) = after.pending.get(&letter.sequence)
                && letter.state == State::Pending
                && !skips_marking
            {
                letter.passed = pending.passed;
            }
        }
        let mut position = after.position;
        if is_premature && position.hold == Hold::Blocked {
            position.hold = Hold::Parked;
        }
        let cursor = &mut self.database.cursors[key];
        if position != cursor.unwrap_or(Position::START) {
            *cursor = Some(position);
        }
        if position.hold != Hold::Free {
            self.settle(key, OPERATOR);
        }
    }
}
