//! One transaction of a listener: what `Ear::attempt` and `Ear::commit` do, in two steps, between which others may act and the
//! process may die.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use super::{
    bugs::Bug,
    database::full,
    handler::Answer,
    lane::{Batch, Rulings, keys_of, list},
    newest::{decide, leave},
    world::{World, event, number},
};
use crate::{
    consumer::{
        core::{Hold, Incoming, Key, Origin, Position, Step, plan, runs},
        work::{Finding, ruling},
    },
    failure::Verdict,
    retry::Patience,
    topology::Guard,
};

/// A transaction whose handlers have run.
#[derive(Debug)]
pub(super) struct Open {
    before: HashMap<Key, Position>,
    after: HashMap<Key, Position>,
    steps: Vec<Step>,
}

/// How the first step ended.
#[derive(Debug)]
pub(super) enum Opened {
    /// Another transaction has the cursor of one of the keys.
    Locked,
    /// It may be committed.
    Open(Open),
    /// Rolled back: something is known of these events.
    Ruled(Vec<Finding>),
    /// Rolled back: something is wrong with one of them.
    Split,
    /// The process is gone.
    Died,
}

/// How the second step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Committed,
    /// Rolled back, or nobody knows.
    Failed,
}

impl Open {
    /// Locks the cursors, decides, and lets the handlers run.
    pub(super) fn begin(
        world: &mut World,
        incoming: &[Incoming],
        rulings: &Rulings,
        origin: Origin,
        lane: usize,
    ) -> Opened {
        let keys = keys_of(incoming);
        if keys.iter().any(|key| world.database.is_locked(*key, lane)) {
            return Opened::Locked;
        }
        let before = world.database.lock(&keys, lane);
        let mut after = before.clone();
        // As the kit's patience, but shorter. The pause is not looked at: the clock here knows but one.
        let attempts = world.weights.attempts;
        let patience = Patience { attempts, pause: |_| Duration::from_secs(1) };
        let handled = |kind: &str| world.handler.handles(kind);
        let steps = match world.guard {
            Guard::Cursors(on_reject) => {
                misplace(world, &mut after, incoming, origin);
                let steps = plan(&mut after, incoming, rulings, origin, on_reject, handled);
                misjudge(world.bug, &before, &mut after, incoming, &steps);
                steps
            }
            Guard::Newest(_) => decide(world.bug, &mut after, incoming, rulings, origin, handled),
        };
        world.check_one_of_each_key(incoming, &steps);
        world.note(|| {
            format!("lane {lane}: {} {steps:?}", list(incoming.iter().map(|one| &one.envelope)))
        });
        for run in runs(incoming, &steps) {
            let events: Vec<&Incoming> =
                run.indices.iter().map(|index| &incoming[*index]).collect();
            let refused = match world.handler.handle(&events) {
                Answer::Done => continue,
                Answer::Died => return Opened::Died,
                Answer::Refused(refused) => refused,
                Answer::Failed(_) if events.len() > 1 => {
                    world.database.unlock(lane);
                    return Opened::Split;
                }
                Answer::Failed(verdict) => HashMap::from([(0, verdict)]),
            };
            world.database.unlock(lane);
            let finding = |(place, verdict): (usize, Verdict)| {
                let index = run.indices[place];
                let ruling = ruling(verdict, incoming[index].attempts + 1, patience)?;
                Some(Finding { index, ruling, causes: Vec::new() })
            };
            return Opened::Ruled(refused.into_iter().filter_map(finding).collect());
        }
        Opened::Open(Self { before, after, steps })
    }

    /// Writes down what was decided, and commits it with the effects.
    pub(super) fn end(self, world: &mut World, batch: &Batch, lane: usize) -> Ended {
        let is_lost = world.fault(3);
        let is_saved = !is_lost && world.database.save(&self.before, &self.after, world.bug);
        if !is_saved {
            world.note(|| format!("lane {lane} cannot commit"));
            world.seen.superseded += u64::from(!is_lost);
            world.database.unlock(lane);
            return Ended::Failed;
        }
        let incoming = batch.work.next().map_or(&[][..], |(incoming, _)| incoming);
        world.note(|| format!("lane {lane} commits"));
        for (one, step) in incoming.iter().zip(&self.steps) {
            world.database.park(one, step, world.clock);
            world.seen.count(step);
            world.count_step(step, batch.origin);
            let (key, sequence) = (number(&one.envelope.subject), one.envelope.sequence);
            let is_over = matches!(step, Step::Apply | Step::Ignore | Step::Dead(_));
            if is_over && world.has(Bug::RetryIsOvertaken) && !world.is_of_state() {
                world.database.parked.remove(&(key, sequence));
            }
            match step {
                Step::Apply => {
                    world.effect(event(&one.envelope), key, sequence, false);
                }
                Step::Dead(_) if world.has(Bug::CursorWithoutLetter) => {}
                Step::Dead(reason) => {
                    let passed = !world.is_of_state() || world.has(Bug::LetterOfStateIsPassed);
                    world.bury(one, reason, passed);
                }
                Step::Duplicate
                | Step::Stale
                | Step::Ignore
                | Step::ParkGap
                | Step::ParkBehind
                | Step::ParkDue
                | Step::ParkRetry(_) => {}
            }
        }
        let planned = incoming.iter().zip(&self.steps);
        if world.is_of_state() {
            for (one, step) in planned {
                world.clear(one, step, batch.origin);
            }
        } else {
            let unsettled = planned.filter(|(_, step)| step.unsettles(batch.origin));
            let keys: BTreeSet<usize> =
                unsettled.map(|(one, _)| number(&one.envelope.subject)).collect();
            for key in keys {
                world.settle(key);
            }
        }
        world.database.unlock(lane);
        // The commit may be done though the connection is lost before it is answered.
        if world.fault(2) { Ended::Failed } else { Ended::Committed }
    }
}

/// Bugs that make the plan start from a wrong position.
fn misplace(
    world: &World,
    positions: &mut HashMap<Key, Position>,
    incoming: &[Incoming],
    origin: Origin,
) {
    for key in keys_of(incoming) {
        let of_key = incoming.iter().filter(|one| number(&one.envelope.subject) == key);
        let lowest = of_key.map(|one| one.envelope.sequence).min().unwrap_or(1);
        let last = positions.get(&full(key)).map_or(0, |position| position.last);
        let is_parked = world.database.parked.contains_key(&(key, lowest));
        let is_wrong = match world.bug {
            Some(Bug::SkipCursor) => lowest <= last,
            Some(Bug::SkipGap) => lowest > last + 1,
            Some(Bug::RetryIsOvertaken) => origin == Origin::Parked && is_parked && lowest <= last,
            _ => false,
        };
        if is_wrong {
            positions.insert(full(key), Position { last: lowest - 1, hold: Hold::Free });
        }
    }
}

/// Bugs that write down another position than the plan says.
fn misjudge(
    bug: Option<Bug>,
    before: &HashMap<Key, Position>,
    after: &mut HashMap<Key, Position>,
    incoming: &[Incoming],
    steps: &[Step],
) {
    for (one, step) in incoming.iter().zip(steps) {
        let key = one.key();
        match (bug, step) {
            (Some(Bug::LetterWithoutCursor), Step::Dead(_)) => leave(after, before, &key),
            (Some(Bug::RetryIsOvertaken), _) => {
                let last = before.get(&key).map_or(0, |position| position.last);
                let position = after.entry(key).or_insert(Position::START);
                position.last = position.last.max(last);
                if matches!(step, Step::ParkRetry(_)) {
                    position.last = position.last.max(one.envelope.sequence);
                    position.hold = Hold::Free;
                }
            }
            _ => {}
        }
    }
}
