//! `messaging.dead_letter`: the statements of `dead_letters/`.

use contracts::Envelope;

use super::{
    bugs::Bug,
    consumer::MOST_STARTS,
    world::{World, event, number},
};
use crate::{
    consumer::core::{Hold, Incoming, Position},
    dead_letters::decisions::{Docket, Pending},
    topology::OnReject,
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
    pub(super) blocks: bool,
    pub(super) passed: bool,
    pub(super) state: State,
}

impl Letter {
    /// Whether its key is blocked by it.
    pub(super) fn is_blocking(&self) -> bool {
        self.state == State::Pending && self.blocks && self.passed
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
    pub(super) fn bury(&mut self, incoming: &Incoming, reason: &str, passed: bool) {
        let envelope = &incoming.envelope;
        let (key, sequence) = (number(&envelope.subject), envelope.sequence);
        let starts = self.database.parked.get(&(key, sequence)).map_or(0, |row| row.starts);
        if reason == "starts_exhausted" && starts <= MOST_STARTS {
            self.violated(|| format!("{key}/{sequence} is given up after {starts} starts"));
        }
        self.seen.dead += 1;
        self.seen.lonely += u64::from(!passed);
        self.note(|| format!("    {key}/{sequence} becomes a dead letter: {reason}"));
        let forgets = self.has(Bug::RejectedCopyForgotten);
        let mut letters = self.database.letters.iter_mut();
        let pending = letters.find(|letter| {
            letter.key == key && letter.sequence == sequence && letter.state == State::Pending
        });
        match pending {
            Some(letter) if passed && !letter.passed && !forgets => letter.passed = true,
            Some(_) => {}
            None => self.database.letters.push(Letter {
                event: event(envelope),
                key,
                sequence,
                envelope: envelope.clone(),
                blocks: self.on_reject == OnReject::BlockKey,
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
            let pending =
                Pending { blocks: letter.blocks, passed: letter.passed, is_of_state: false };
            docket.pending.insert(letter.sequence, pending);
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
        if let Some(cursor) = &mut self.database.cursors[key] {
            *cursor = after.position;
            if is_hasty && cursor.hold == Hold::Blocked {
                cursor.hold = Hold::Parked;
            }
        }
        self.settle(key);
    }
}
