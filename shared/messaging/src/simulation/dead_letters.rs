//! `messaging.dead_letter`: the statements of `consume::dead_letter` and `dead_letters`.

use envelope::Envelope;

use super::{
    bugs::Bug,
    queue_consumer::MAX_STARTS,
    world::{World, event, number},
};
use crate::{
    consume::{
        dead_letter::MISSING_PREDECESSOR,
        plan::{Hold, Position, ReceivedEvent},
        subscription::{OnReject, Ordering},
    },
    dead_letters::plan::{KeyLetters, PendingLetter},
};

/// The state of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Redriven,
    Discarded,
}

/// A row of `messaging.dead_letter`.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) event: usize,
    pub(super) key: usize,
    pub(super) sequence: i64,
    pub(super) envelope: Envelope,
    reason: &'static str,
    blocks: bool,
    pub(super) passed: bool,
    pub(super) state: State,
}

impl Letter {
    /// Whether it blocks its key.
    pub(super) fn is_blocking(&self) -> bool {
        self.state == State::Pending && self.blocks && self.passed
    }

    /// The part that matters for decisions about its key, as `LockedBatch::open` reads it.
    pub(super) fn pending(&self) -> PendingLetter {
        let is_of_state = !self.passed && self.reason != MISSING_PREDECESSOR;
        PendingLetter { blocks: self.blocks, passed: self.passed, is_of_state }
    }

    /// The event of the letter, as received.
    pub(super) fn received_event(&self) -> ReceivedEvent {
        ReceivedEvent {
            envelope: self.envelope.clone(),
            attempts: 0,
            causes: Vec::new(),
            route: (String::new(), String::new()),
        }
    }
}

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
        // new copy since.
        if reason == "starts_exhausted" && starts <= MAX_STARTS && !self.is_of_state() {
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
            Some(letter) if passed && !letter.passed && !skips_update => {
                (letter.passed, letter.reason) = (true, reason);
            }
            Some(_) => {}
            None => self.database.letters.push(Letter {
                event: event(envelope),
                key,
                sequence,
                envelope: envelope.clone(),
                reason,
                blocks: self.ordering == Ordering::Sequenced(OnReject::BlockKey),
                passed,
                state: State::Pending,
            }),
        }
    }

    /// `LockedBatch::open`: the cursor of a key, and its pending letters.
    pub(super) fn letters_of_key(&self, key: usize) -> KeyLetters {
        let mut letters_of_key =
            KeyLetters::new(self.database.cursors[key].unwrap_or(Position::START));
        let letters = self.database.letters.iter();
        for letter in letters.filter(|letter| letter.key == key && letter.state == State::Pending) {
            letters_of_key.pending.insert(letter.sequence, letter.pending());
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
            self.settle(key);
        }
    }
}
