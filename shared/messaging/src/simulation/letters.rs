//! `messaging.dead_letter`: the statements of `dead_letters/`.

use envelope::Envelope;

use super::{
    bugs::Bug,
    lane::MOST_STARTS,
    world::{World, event, number},
};
use crate::{
    consumer::core::{Hold, Incoming, Position},
    dead_letters::{
        MISSING_PREDECESSOR,
        decisions::{Docket, Pending},
    },
    topology::{Guard, OnReject},
};

/// What has become of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody has dealt with it.
    Pending,
    /// It was sent again with success.
    Redriven,
    /// It was given up.
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
    /// Whether its key is blocked by it.
    pub(super) fn is_blocking(&self) -> bool {
        self.state == State::Pending && self.blocks && self.passed
    }

    /// What decisions about its key have to know of it, as `Desk::open` reads it.
    pub(super) fn pending(&self) -> Pending {
        let is_of_state = !self.passed && self.reason != MISSING_PREDECESSOR;
        Pending { blocks: self.blocks, passed: self.passed, is_of_state }
    }

    /// The letter as an event on its way.
    pub(super) fn incoming(&self) -> Incoming {
        Incoming {
            envelope: self.envelope.clone(),
            attempts: 0,
            causes: Vec::new(),
            route: (String::new(), String::new()),
        }
    }
}

impl World {
    /// `dead_letters::bury`: an event is one pending letter at a time.
    pub(super) fn bury(&mut self, incoming: &Incoming, reason: &'static str, passed: bool) {
        let envelope = &incoming.envelope;
        let (key, sequence) = (number(&envelope.subject), envelope.sequence);
        let starts = self.database.parked.get(&(key, sequence)).map_or(0, |row| row.starts);
        // Of full state the starts are told with the event itself, and another process may have parked a copy anew since.
        if reason == "starts_exhausted" && starts <= MOST_STARTS && !self.is_of_state() {
            self.violated(|| format!("{key}/{sequence} is given up after {starts} starts"));
        }
        self.seen.dead += 1;
        self.seen.lonely += u64::from(reason == MISSING_PREDECESSOR);
        self.note(|| format!("    {key}/{sequence} becomes a dead letter: {reason}"));
        let forgets = self.has(Bug::RejectedCopyForgotten);
        let mut letters = self.database.letters.iter_mut();
        let pending = letters.find(|letter| {
            letter.key == key && letter.sequence == sequence && letter.state == State::Pending
        });
        match pending {
            Some(letter) if passed && !letter.passed && !forgets => {
                (letter.passed, letter.reason) = (true, reason);
            }
            Some(_) => {}
            None => self.database.letters.push(Letter {
                event: event(envelope),
                key,
                sequence,
                envelope: envelope.clone(),
                reason,
                blocks: self.guard == Guard::Cursors(OnReject::BlockKey),
                passed,
                state: State::Pending,
            }),
        }
    }

    /// `Desk::open`: the cursor of a key, and its pending letters.
    pub(super) fn docket(&self, key: usize) -> Docket {
        let mut docket = Docket::new(self.database.cursors[key].unwrap_or(Position::START));
        let letters = self.database.letters.iter();
        for letter in letters.filter(|letter| letter.key == key && letter.state == State::Pending) {
            docket.pending.insert(letter.sequence, letter.pending());
        }
        docket
    }

    /// `Desk::close`: what it does beside writing down the letters' new state.
    pub(super) fn close(&mut self, key: usize, after: &Docket) {
        let (forgets, is_hasty) = (self.has(Bug::LeapForgotten), self.has(Bug::UnblockedTooEarly));
        for letter in self.database.letters.iter_mut().filter(|letter| letter.key == key) {
            if let Some(pending) = after.pending.get(&letter.sequence)
                && letter.state == State::Pending
                && !forgets
            {
                letter.passed = pending.passed;
            }
        }
        let mut position = after.position;
        if is_hasty && position.hold == Hold::Blocked {
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
