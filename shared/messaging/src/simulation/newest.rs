//! What a transaction decides about events of full state: the kit's `plan_newest`, and the bugs that are planted around it.

use std::collections::HashMap;

use super::{bugs::Bug, lane::Rulings};
use crate::consumer::{
    core::{Incoming, Key, Origin, Position, Step},
    newest::plan_newest,
};

/// Decides for each of `incoming`, and moves `positions` along.
pub(super) fn decide(
    bug: Option<Bug>,
    positions: &mut HashMap<Key, Position>,
    incoming: &[Incoming],
    rulings: &Rulings,
    origin: Origin,
    handled: impl Fn(&str) -> bool,
) -> Vec<Step> {
    let forgets = match bug {
        Some(Bug::NumberNotCompared) => origin == Origin::Queue,
        Some(Bug::OvertakenRetryIsApplied) => origin == Origin::Parked,
        _ => false,
    };
    if forgets {
        for one in incoming {
            positions.insert(one.key(), Position::START);
        }
    }
    let before = positions.clone();
    let mut steps = plan_newest(positions, incoming, rulings, handled);
    match bug {
        Some(Bug::FailedMakesStale) => {
            let has_failed = |step: &Step| matches!(step, Step::ParkRetry(_) | Step::Dead(_));
            let failed = highest(incoming, &steps, has_failed);
            for (one, step) in incoming.iter().zip(&mut steps) {
                let above = failed.get(&one.key()).copied().unwrap_or_default();
                if *step == Step::Apply && one.envelope.sequence < above {
                    *step = Step::Stale;
                    leave(positions, &before, &one.key());
                }
            }
        }
        Some(Bug::IgnoredMakesStale) => {
            for (key, sequence) in highest(incoming, &steps, |step| *step == Step::Ignore) {
                let position = positions.entry(key).or_insert(Position::START);
                position.last = position.last.max(sequence);
            }
        }
        _ => {}
    }
    steps
}

/// Puts the position of a key back to what it was.
pub(super) fn leave(
    positions: &mut HashMap<Key, Position>,
    before: &HashMap<Key, Position>,
    key: &Key,
) {
    match before.get(key) {
        Some(position) => drop(positions.insert(key.clone(), *position)),
        None => drop(positions.remove(key)),
    }
}

/// The highest number of each key that such a step is decided for.
fn highest(
    incoming: &[Incoming],
    steps: &[Step],
    is_meant: impl Fn(&Step) -> bool,
) -> HashMap<Key, i64> {
    let mut highest = HashMap::new();
    for (one, _) in incoming.iter().zip(steps).filter(|(_, step)| is_meant(step)) {
        let number = highest.entry(one.key()).or_insert(0);
        *number = one.envelope.sequence.max(*number);
    }
    highest
}
