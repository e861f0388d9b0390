//! What a subscription to full state promises: effects on a key never go back, in the end the newest stands that could be handled,
//! and its handlers see one event of a key at a time.

use std::collections::HashSet;

use super::{
    database::Database,
    letters::{Letter, State},
    world::{Said, World, number},
};
use crate::{
    consumer::core::{Hold, Incoming, Origin, Position, Step},
    dead_letters::decisions::Again,
    topology::Guard,
};

/// How often the situations came up that these promises are about.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct SeenOfState {
    /// Events that something newer had overtaken when they were taken; those of them that had waited for a retry; dead letters
    /// of which the same was found when they were sent again.
    stale: u64,
    stale_retries: u64,
    stale_letters: u64,
    /// Effects of an event while a newer one of its key waited or was dead; of retries; of letters.
    stood_in: u64,
    retried: u64,
    redriven: u64,
    /// Letters that were sent again when nobody handled their type any more.
    unhandled: u64,
    /// Events that processes had died over too often.
    exhausted: u64,
    /// Batches after which some but not all events of a message were committed, and messages that were acknowledged though one
    /// before them was open.
    pub(super) between: u64,
    pub(super) acknowledged_alone: u64,
}

impl SeenOfState {
    const fn fields(&mut self) -> [&mut u64; 10] {
        [
            &mut self.stale,
            &mut self.stale_retries,
            &mut self.stale_letters,
            &mut self.stood_in,
            &mut self.retried,
            &mut self.redriven,
            &mut self.unhandled,
            &mut self.exhausted,
            &mut self.between,
            &mut self.acknowledged_alone,
        ]
    }

    /// Adds what another schedule has seen.
    pub(super) fn add(&mut self, mut other: Self) {
        for (mine, others) in self.fields().into_iter().zip(other.fields()) {
            *mine += *others;
        }
    }

    /// Whether each situation came up.
    pub(super) fn is_everything(mut self) -> bool {
        self.fields().into_iter().all(|count| *count > 0)
    }
}

impl World {
    /// Whether the subscription is to full state.
    pub(super) const fn is_of_state(&self) -> bool {
        matches!(self.guard, Guard::Newest(_))
    }

    /// Counts what a transaction has decided about an event.
    pub(super) fn count_step(&mut self, step: &Step, origin: Origin) {
        if !self.is_of_state() {
            return;
        }
        let (seen, is_retry) = (&mut self.seen.of_state, origin == Origin::Parked);
        seen.stale += u64::from(*step == Step::Stale);
        seen.stale_retries += u64::from(*step == Step::Stale && is_retry);
        seen.retried += u64::from(*step == Step::Apply && is_retry);
        seen.exhausted += u64::from(*step == Step::Dead("starts_exhausted"));
    }

    /// Counts what sending letters again has come to.
    pub(super) fn count_again(&mut self, decided: &[Again], steps: &[Step]) {
        if self.is_of_state() {
            for (again, step) in decided.iter().zip(steps) {
                self.seen.of_state.stale_letters += u64::from(*again == Again::Mark);
                let is_newest = *again == Again::Effect;
                self.seen.of_state.redriven += u64::from(is_newest && *step == Step::Apply);
                self.seen.of_state.unhandled += u64::from(is_newest && *step == Step::Ignore);
            }
        }
    }

    /// Counts an effect that stands in for that of a newer event.
    pub(super) fn count_stand_in(&mut self, key: usize, sequence: i64) {
        let Database { parked, letters, .. } = &self.database;
        let waits = || parked.range((key, sequence + 1)..(key + 1, 0)).next().is_some();
        let is_dead = || {
            letters.iter().any(|letter| {
                letter.key == key && letter.sequence > sequence && letter.state == State::Pending
            })
        };
        if self.is_of_state() && (waits() || is_dead()) {
            self.seen.of_state.stood_in += 1;
        }
    }

    /// Handlers of full state are handed one event of a key at a time.
    pub(super) fn check_one_of_each_key(&mut self, incoming: &[Incoming], steps: &[Step]) {
        let mut keys = HashSet::new();
        let applied = incoming.iter().zip(steps).filter(|(_, step)| **step == Step::Apply);
        let mut keys_applied = applied.map(|(one, _)| number(&one.envelope.subject));
        if self.is_of_state()
            && let Some(key) = keys_applied.find(|key| !keys.insert(*key))
        {
            self.violated(|| format!("two events of key {key} are handled together"));
        }
    }

    /// What stands of a key at rest is the newest of its events that are handled and no dead letters, and nothing waits.
    pub(super) fn state_is_wrong(&self, key: usize, is_clear: bool) -> Option<String> {
        let Database { cursors, effects, letters, parked, .. } = &self.database;
        let standing = effects.iter().rfind(|effect| effect.key == key);
        let standing = standing.map_or(0, |effect| effect.sequence);
        let is_dead = |event| {
            letters.iter().any(|letter| letter.event == event && letter.state != State::Redriven)
        };
        let said = self.said.iter().enumerate();
        let mut said = said.filter_map(|(event, said)| Some((event, (*said)?)));
        let missed = said.find(|(event, said)| {
            let is_meant = said.key == key && self.handler.handles(said.kind);
            is_meant && said.sequence > standing && !is_dead(*event)
        });
        if let Some((_, Said { sequence, .. })) = missed {
            return Some(format!("{key}/{sequence} is lost, and {standing} stands"));
        }
        let position = cursors[key].unwrap_or(Position::START);
        if position != (Position { last: standing, hold: Hold::Free }) {
            return Some(format!("the cursor of {key} is {position:?}, and {standing} stands"));
        }
        if parked.keys().any(|(of, _)| *of == key) {
            return Some(format!("events of key {key} wait for nothing"));
        }
        let is_pending = |letter: &Letter| letter.key == key && letter.state == State::Pending;
        (is_clear && letters.iter().any(is_pending))
            .then(|| format!("key {key} cannot be cleared of its letters"))
    }
}
