//! What must hold when everything has come to rest.

use std::rc::Rc;

use envelope::Envelope;

use super::{
    database::Database,
    full_state::SeenOfState,
    letters::State,
    world::{Said, World, number},
};
use crate::consumer::core::{Hold, Position, Step};

/// How often the situations came up that the promises are about.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Seen {
    pub(super) events: u64,
    pub(super) effects: u64,
    pub(super) duplicates: u64,
    pub(super) gaps: u64,
    pub(super) retries: u64,
    /// Dead letters of any kind, and those of them for want of a predecessor.
    pub(super) dead: u64,
    pub(super) lonely: u64,
    pub(super) redriven: u64,
    /// Transactions that dealt with more than one letter.
    pub(super) together: u64,
    pub(super) discarded: u64,
    /// Messages that the broker gave up.
    pub(super) given_up: u64,
    /// Transactions that found that another process had begun with their keys.
    pub(super) superseded: u64,
    /// Messages published by a relay whose lease another one had, and deletes refused for that reason.
    pub(super) zombie_published: u64,
    pub(super) zombie_refused: u64,
    /// What came up with subscriptions to full state.
    pub(super) of_state: SeenOfState,
}

impl Seen {
    /// Counts a decision.
    pub(super) fn count(&mut self, step: &Step) {
        match step {
            Step::Duplicate => self.duplicates += 1,
            Step::ParkGap => self.gaps += 1,
            Step::ParkRetry(_) => self.retries += 1,
            Step::Stale
            | Step::Apply
            | Step::Ignore
            | Step::ParkBehind
            | Step::ParkDue
            | Step::Dead(_) => {}
        }
    }

    fn fields(&mut self) -> [&mut u64; 14] {
        [
            &mut self.events,
            &mut self.effects,
            &mut self.duplicates,
            &mut self.gaps,
            &mut self.retries,
            &mut self.dead,
            &mut self.lonely,
            &mut self.redriven,
            &mut self.together,
            &mut self.discarded,
            &mut self.given_up,
            &mut self.superseded,
            &mut self.zombie_published,
            &mut self.zombie_refused,
        ]
    }

    /// Adds what another schedule has seen.
    pub(super) fn add(&mut self, mut other: Self) {
        for (mine, others) in self.fields().into_iter().zip(other.fields()) {
            *mine += *others;
        }
        self.of_state.add(other.of_state);
    }

    /// Whether each situation came up.
    pub(super) fn is_everything(mut self) -> bool {
        self.fields().into_iter().all(|count| *count > 0) && self.of_state.is_everything()
    }
}

impl World {
    /// Checks all promises. `is_clear` says that all dead letters have been dealt with.
    pub(super) fn check(&mut self, is_clear: bool) {
        let wrong = self.remains().or_else(|| {
            if self.is_of_state() {
                return (0..self.keys).find_map(|key| self.state_is_wrong(key, is_clear));
            }
            let key = (0..self.keys).find_map(|key| self.key_is_wrong(key, is_clear));
            key.or_else(|| {
                let said = self.said.iter().enumerate();
                let mut said = said.filter_map(|(event, said)| Some((event, (*said)?)));
                said.find_map(|(event, said)| self.event_is_wrong(event, said, is_clear))
            })
        });
        if let Some(wrong) = wrong {
            self.violated(|| wrong);
        }
    }

    /// Messages are acknowledged: nothing of them may be left to do.
    pub(super) fn check_acknowledged(&mut self, messages: &[Rc<Vec<Envelope>>]) {
        let mut events = messages.iter().flat_map(|events| events.iter());
        if let Some(open) = events.find(|envelope| !self.is_dealt_with(envelope)) {
            let (key, sequence) = (&open.subject, open.sequence);
            self.violated(|| format!("{key}/{sequence} is acknowledged and not dealt with"));
        }
    }

    /// Whether the cursor has gone past an event, or it is parked or dead, or leaves no trace at all.
    fn is_dealt_with(&self, envelope: &Envelope) -> bool {
        let (key, sequence) = (number(&envelope.subject), envelope.sequence);
        let Database { cursors, parked, letters, .. } = &self.database;
        let is_ignored = || !self.handler.handles(&envelope.kind);
        sequence <= cursors[key].unwrap_or(Position::START).last
            || parked.contains_key(&(key, sequence))
            || letters.iter().any(|letter| letter.key == key && letter.sequence == sequence)
            || (self.is_of_state() && is_ignored())
    }

    /// Nothing may be under way any more.
    fn remains(&self) -> Option<String> {
        let Database { outbox, cursor_locks, sequence_locks, .. } = &self.database;
        if let Some(row) = outbox.first() {
            return Some(format!("{}/{} is still in the outbox", row.key, row.seq));
        }
        if !self.broker.is_empty() {
            return Some("there are messages in the queues".to_owned());
        }
        let is_locked = cursor_locks.iter().chain(sequence_locks).any(Option::is_some);
        is_locked.then(|| "a lock is held by nobody".to_owned())
    }

    /// The hold of a key has a reason, and the reason has its hold.
    fn key_is_wrong(&self, key: usize, is_clear: bool) -> Option<String> {
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
            return Some(format!("key {key} is {hold:?} and should be {expected:?}"));
        }
        // What waits for a time has had it: only people can help now.
        if waits && expected != Hold::Blocked {
            return Some(format!("events of key {key} wait for nothing"));
        }
        if let Some(letter) = pending.iter().find(|letter| letter.passed && letter.sequence > last)
        {
            let sequence = letter.sequence;
            return Some(format!(
                "the cursor of {key} is at {last} and has passed the letter {sequence}"
            ));
        }
        (is_clear && !pending.is_empty())
            .then(|| format!("key {key} cannot be cleared of its letters"))
    }

    /// Every event took effect once, or is accounted for: nobody handles it, it is a letter that is pending or was given up,
    /// somebody gave it up together with a letter behind it, or it waits behind a letter. A letter that was sent again with
    /// success is no excuse: then there must be an effect.
    fn event_is_wrong(&self, event: usize, said: Said, is_clear: bool) -> Option<String> {
        let Said { key, sequence, kind } = said;
        let Database { effects, letters, parked, given_up, .. } = &self.database;
        let count = effects.iter().filter(|effect| effect.event == event).count();
        let letters: Vec<_> = letters.iter().filter(|letter| letter.event == event).collect();
        let is_in = |state| letters.iter().any(|letter| letter.state == state);
        let is_dead = letters.iter().any(|letter| letter.passed && letter.state != State::Redriven);
        if count == 1 && !is_dead {
            return None;
        }
        if count >= 1 {
            return Some(format!(
                "{key}/{sequence} took effect {count} times, and is dead: {is_dead}"
            ));
        }
        let is_given_up =
            |(of, from, to): &(usize, i64, i64)| *of == key && (*from + 1..*to).contains(&sequence);
        let is_given_up = is_in(State::Discarded) || given_up.iter().any(is_given_up);
        let waits = is_in(State::Pending) || parked.contains_key(&(key, sequence));
        let is_accounted_for = if self.handler.handles(kind) {
            (is_given_up && !is_in(State::Redriven)) || (!is_clear && waits)
        } else {
            sequence <= self.docket(key).position.last || (!is_clear && waits)
        };
        (!is_accounted_for).then(|| format!("{key}/{sequence} is lost"))
    }
}
