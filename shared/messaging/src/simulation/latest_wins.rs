//! The decisions about events of full state: `plan_latest_wins` with the planted bugs.

use std::collections::HashMap;

use super::bugs::Bug;
use crate::consume::{
    latest_wins::plan_latest_wins,
    plan::{Decision, Disposition, Origin, Position},
    received_event::{Key, ReceivedEvent},
    subscription::Reception,
};

/// Known dispositions by index.
pub(super) type Dispositions = HashMap<usize, Disposition>;

/// Decides about each of `events` and updates `positions`.
pub(super) fn decide(
    bug: Option<Bug>,
    positions: &mut HashMap<Key, Position>,
    events: &[ReceivedEvent],
    dispositions: &Dispositions,
    origin: Origin,
    reception: impl Fn(&str) -> Reception,
) -> Vec<Decision> {
    let ignores_position = match bug {
        Some(Bug::NumberNotCompared) => origin == Origin::Queue,
        Some(Bug::OvertakenRetryIsApplied) => origin == Origin::Parked,
        _ => false,
    };
    if ignores_position {
        for one in events {
            positions.insert(one.key(), Position::START);
        }
    }
    let before = positions.clone();
    let mut decisions = plan_latest_wins(positions, events, dispositions, reception);
    match bug {
        Some(Bug::FailedMakesStale) => {
            let has_failed = |decision: &Decision| {
                matches!(decision, Decision::ParkRetry(_) | Decision::DeadLetter(_))
            };
            let failed = highest(events, &decisions, has_failed);
            for (one, decision) in events.iter().zip(&mut decisions) {
                let above = failed.get(&one.key()).copied().unwrap_or_default();
                if *decision == Decision::Apply && one.envelope.sequence < above {
                    *decision = Decision::Stale;
                    restore(positions, &before, &one.key());
                }
            }
        }
        Some(Bug::IgnoredMakesStale) => {
            for (key, sequence) in
                highest(events, &decisions, |decision| *decision == Decision::Ignore)
            {
                let position = positions.entry(key).or_insert(Position::START);
                position.last = position.last.max(sequence);
            }
        }
        _ => {}
    }
    decisions
}

/// Restores the position of a key.
pub(super) fn restore(
    positions: &mut HashMap<Key, Position>,
    before: &HashMap<Key, Position>,
    key: &Key,
) {
    match before.get(key) {
        Some(position) => drop(positions.insert(key.clone(), *position)),
        None => drop(positions.remove(key)),
    }
}

/// The highest number per key with a decision that matches.
fn highest(
    events: &[ReceivedEvent],
    decisions: &[Decision],
    is_meant: impl Fn(&Decision) -> bool,
) -> HashMap<Key, i64> {
    let mut highest = HashMap::new();
    for (one, _) in events.iter().zip(decisions).filter(|(_, decision)| is_meant(decision)) {
        let number = highest.entry(one.key()).or_insert(0);
        *number = one.envelope.sequence.max(*number);
    }
    highest
}
