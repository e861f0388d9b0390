//! `messaging.dead_letter`: the statements of `dead_letters.rs`.

use contracts::Envelope;

use super::{
    bugs::Bug,
    consumer::MOST_STARTS,
    world::{World, event, number},
};
use crate::{
    consumer::core::{Hold, Incoming, Position},
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

    /// `dead_letters::last_of`.
    pub(super) fn last_of(&self, key: usize) -> i64 {
        self.database.cursors[key].unwrap_or(Position::START).last
    }

    /// `dead_letters::is_behind_another`.
    pub(super) fn is_behind_another(&self, key: usize, sequence: i64) -> bool {
        self.database.letters.iter().any(|letter| {
            letter.key == key
                && letter.sequence < sequence
                && letter.state == State::Pending
                && letter.blocks
        })
    }

    /// `dead_letters::finish`: what it does beside writing down the letter's new state.
    pub(super) fn move_on(&mut self, key: usize, sequence: i64, state: State) {
        let last = self.last_of(key);
        if state == State::Discarded && sequence > last {
            self.database.given_up.push((key, last, sequence));
        }
        let (forgets, is_hasty) = (self.has(Bug::LeapForgotten), self.has(Bug::UnblockedTooEarly));
        let mut is_blocked = false;
        for letter in self.database.letters.iter_mut().filter(|letter| letter.key == key) {
            let is_between = letter.sequence > last && letter.sequence < sequence;
            if is_between && letter.state == State::Pending && !forgets {
                letter.passed = true;
            }
            is_blocked |= letter.is_blocking();
        }
        if let Some(cursor) = &mut self.database.cursors[key] {
            cursor.last = cursor.last.max(sequence);
            if cursor.hold == Hold::Blocked && (!is_blocked || is_hasty) {
                cursor.hold = Hold::Parked;
            }
        }
        self.settle(key);
    }
}
