//! The invariants of a state subscription: effects of a key only become newer, the newest event that can be
//! handled wins, and a batch has at most one event per key.

use std::collections::HashSet;

use super::{
    database::Database,
    events::{EmittedEvent, number},
    letter::{Letter, State},
    world::World,
};
use crate::{
    consume::{
        plan::{Decision, Hold, Origin, Position},
        received_event::ReceivedEvent,
    },
    dead_letters::plan::RedriveDecision,
};

impl World {
    /// Counts a decision of a transaction.
    pub(super) fn count_decision(&mut self, decision: &Decision, origin: Origin) {
        if !self.is_of_state() {
            return;
        }
        let (coverage, is_retry) = (&mut self.coverage.of_state, origin == Origin::Parked);
        coverage.stale += u64::from(*decision == Decision::Stale);
        coverage.stale_retries += u64::from(*decision == Decision::Stale && is_retry);
        coverage.retried += u64::from(*decision == Decision::Apply && is_retry);
        coverage.exhausted += u64::from(*decision == Decision::DeadLetter("starts_exhausted"));
    }

    /// Counts the results of a redrive.
    pub(super) fn count_redrive(&mut self, redrives: &[RedriveDecision], decisions: &[Decision]) {
        if self.is_of_state() {
            for (redrive, decision) in redrives.iter().zip(decisions) {
                self.coverage.of_state.stale_letters +=
                    u64::from(*redrive == RedriveDecision::MarkResolved);
                let is_newest = *redrive == RedriveDecision::Apply;
                self.coverage.of_state.redriven +=
                    u64::from(is_newest && *decision == Decision::Apply);
                self.coverage.of_state.unhandled +=
                    u64::from(is_newest && *decision == Decision::Ignore);
            }
        }
    }

    /// Counts an effect that precedes that of a newer event.
    pub(super) fn count_stand_in(&mut self, key: usize, sequence: i64) {
        let Database { parked, letters, .. } = &self.database;
        let waits = || parked.range((key, sequence + 1)..(key + 1, 0)).next().is_some();
        let is_dead = || {
            letters.iter().any(|letter| {
                letter.key == key && letter.sequence > sequence && letter.state == State::Pending
            })
        };
        if self.is_of_state() && (waits() || is_dead()) {
            self.coverage.of_state.stood_in += 1;
        }
    }

    /// Handlers of full state get at most one event per key.
    pub(super) fn check_one_event_per_key(
        &mut self,
        events: &[ReceivedEvent],
        decisions: &[Decision],
    ) {
        let mut keys = HashSet::new();
        let applied =
            events.iter().zip(decisions).filter(|(_, decision)| **decision == Decision::Apply);
        let mut keys_applied = applied.map(|(one, _)| number(&one.envelope.subject));
        if self.is_of_state()
            && let Some(key) = keys_applied.find(|key| !keys.insert(*key))
        {
            self.violated(|| format!("two events of key {key} are handled together"));
        }
    }

    /// When all work is done, the last effect of a key is its newest event that has a handler and is not a
    /// dead letter. No event is parked.
    pub(super) fn state_violation(&self, key: usize, is_clear: bool) -> Option<String> {
        let Database { cursors, effects, letters, parked, .. } = &self.database;
        let last_effect = effects.iter().rfind(|effect| effect.key == key);
        let last_effect = last_effect.map_or(0, |effect| effect.sequence);
        let is_dead = |event| {
            letters.iter().any(|letter| letter.event == event && letter.state != State::Redriven)
        };
        let emitted = self.emitted.iter().enumerate();
        let mut emitted = emitted.filter_map(|(event, emitted)| Some((event, (*emitted)?)));
        let missed = emitted.find(|(event, emitted)| {
            let is_meant = emitted.key == key && self.handler.handles(emitted.kind);
            let is_excused = || self.may_be_lost(*event) || self.waits_in_outbox(*event, key);
            is_meant && emitted.sequence > last_effect && !is_dead(*event) && !is_excused()
        });
        if let Some((_, EmittedEvent { sequence, .. })) = missed {
            return Some(format!("{key}/{sequence} is lost, and {last_effect} is the last effect"));
        }
        let position = cursors[key].unwrap_or(Position::START);
        if position != (Position { last: last_effect, hold: Hold::Free }) {
            return Some(format!(
                "the cursor of {key} is {position:?}, but {last_effect} is the last effect"
            ));
        }
        if parked.keys().any(|(of, _)| *of == key) {
            return Some(format!("events of key {key} are parked without a reason"));
        }
        let is_pending = |letter: &Letter| letter.key == key && letter.state == State::Pending;
        (is_clear && letters.iter().any(is_pending))
            .then(|| format!("key {key} cannot be cleared of its letters"))
    }
}
