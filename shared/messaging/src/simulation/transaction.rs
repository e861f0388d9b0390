//! One transaction of a consumer: `BatchProcessor::attempt` and `BatchProcessor::commit`, in two steps. In
//! between, other actors may act, and the process may die.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use super::{
    bugs::Bug,
    events::{event, full, keys_of, list, number},
    handler::{HandlerResult, Version},
    journal::Operation,
    latest_wins::{Dispositions, decide, restore},
    world::World,
};
use crate::{
    consume::{
        batch_splitter::{FailedEvent, disposition},
        dead_letter::UNKNOWN_TYPE,
        plan::{Decision, Hold, Origin, Position, handler_calls, plan_sequenced},
        received_event::{Key, ReceivedEvent},
        subscription::{Ordering, Reception},
    },
    failure::FailureKind,
    retry::RetryPolicy,
};

/// A transaction whose handlers have run.
#[derive(Debug)]
pub(super) struct OpenTransaction {
    before: HashMap<Key, Position>,
    after: HashMap<Key, Position>,
    decisions: Vec<Decision>,
}

/// The result of the first step.
#[derive(Debug)]
pub(super) enum BeginOutcome {
    /// Another transaction has locked the cursor of a key.
    Locked,
    /// Another process handles the parked event, or has handled it.
    Skipped,
    Open(OpenTransaction),
    /// Rolled back: these events failed.
    Failed(Vec<FailedEvent>),
    /// Rolled back: an unknown event failed.
    BatchFailed,
    Died,
}

/// The result of the second step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommitOutcome {
    Committed,
    /// Rolled back, or unknown.
    Failed,
}

impl OpenTransaction {
    /// Locks the cursors, decides, and runs the handlers.
    pub(super) fn begin(
        world: &mut World,
        events: &[ReceivedEvent],
        dispositions: &Dispositions,
        origin: Origin,
        (consumer, version): (usize, Version),
    ) -> BeginOutcome {
        let keys = keys_of(events);
        let before = if let (Origin::Parked, [first, ..]) = (origin, events) {
            let position = (number(&first.envelope.subject), first.envelope.sequence);
            if !world.database.lock_parked(position, consumer) {
                record(world, (consumer, version), (events, dispositions, origin), None);
                return BeginOutcome::Skipped;
            }
            world.database.read(&keys)
        } else if keys.iter().any(|key| world.database.is_locked(*key, consumer)) {
            return BeginOutcome::Locked;
        } else {
            world.database.lock(&keys, consumer)
        };
        let mut after = before.clone();
        // The kit's policy with fewer attempts. The delay is ignored: the model has a fixed one.
        let max_attempts = world.weights.max_attempts;
        let policy = RetryPolicy { max_attempts, delay: |_| Duration::from_secs(1) };
        let skips_unknown = world.has(Bug::UnknownIsIgnored);
        let reception = |kind: &str| {
            let reception = world.handler.reception(kind, version);
            let is_skipped = skips_unknown && reception == Reception::Unknown;
            if is_skipped { Reception::Ignored } else { reception }
        };
        let mut decisions = match world.ordering {
            Ordering::Sequenced(on_reject) => {
                misplace_before(world, &mut after, events, origin);
                let decisions =
                    plan_sequenced(&mut after, events, dispositions, origin, on_reject, reception);
                misplace_after(world.bug, &before, &mut after, events, &decisions);
                decisions
            }
            Ordering::LatestWins(_) => {
                decide(world.bug, &mut after, events, dispositions, origin, reception)
            }
        };
        if origin == Origin::Queue && !world.is_of_state() && !world.has(Bug::LateIsDuplicate) {
            world.mark_lost(events, &mut decisions);
        }
        record(world, (consumer, version), (events, dispositions, origin), Some(&decisions));
        world.check_one_event_per_key(events, &decisions);
        world.note(|| {
            format!(
                "consumer {consumer}: {} {decisions:?}",
                list(events.iter().map(|one| &one.envelope))
            )
        });
        for call in handler_calls(events, &decisions) {
            let called: Vec<&ReceivedEvent> =
                call.indices.iter().map(|index| &events[*index]).collect();
            let failures = match world.handler.handle(&called) {
                HandlerResult::Done => continue,
                HandlerResult::Died => return BeginOutcome::Died,
                HandlerResult::Failed(failures) => failures,
                HandlerResult::BatchFailed(_) if called.len() > 1 => {
                    world.database.unlock(consumer);
                    world.record(|_| Operation::RollBack { consumer });
                    return BeginOutcome::BatchFailed;
                }
                HandlerResult::BatchFailed(kind) => HashMap::from([(0, kind)]),
            };
            world.database.unlock(consumer);
            world.record(|_| Operation::RollBack { consumer });
            let failed = |(index, kind): (usize, FailureKind)| {
                let index = call.indices[index];
                let disposition = disposition(kind, events[index].attempts + 1, policy)?;
                Some(FailedEvent { index, disposition, causes: Vec::new() })
            };
            return BeginOutcome::Failed(failures.into_iter().filter_map(failed).collect());
        }
        BeginOutcome::Open(Self { before, after, decisions })
    }

    /// Writes the decisions and commits them with the effects. The cursors of parked events are locked only now, and no other
    /// transaction holds them.
    pub(super) fn end(
        self,
        world: &mut World,
        events: &[ReceivedEvent],
        origin: Origin,
        consumer: usize,
    ) -> CommitOutcome {
        let is_lost = world.fault(3);
        let is_current = origin == Origin::Queue
            || world.database.lock(&keys_of(events), consumer) == self.before
            || world.has(Bug::RetryNotChecked);
        let is_saved =
            !is_lost && is_current && world.database.save(&self.before, &self.after, world.bug);
        if !is_saved {
            world.note(|| format!("consumer {consumer} fails to commit"));
            world.coverage.superseded += u64::from(!is_lost);
            world.database.unlock(consumer);
            world.record(|_| {
                let applied = Vec::new();
                if is_lost {
                    Operation::RollBack { consumer }
                } else {
                    Operation::End { consumer, applied, is_committed: false }
                }
            });
            return CommitOutcome::Failed;
        }
        world.note(|| format!("consumer {consumer} commits"));
        for (one, decision) in events.iter().zip(&self.decisions) {
            world.database.park(one, decision, origin, world.clock);
            world.coverage.count(decision);
            world.count_decision(decision, origin);
            let (key, sequence) = (number(&one.envelope.subject), one.envelope.sequence);
            let is_over =
                matches!(decision, Decision::Apply | Decision::Ignore | Decision::DeadLetter(_));
            if is_over && world.has(Bug::RetryIsOvertaken) && !world.is_of_state() {
                world.database.parked.remove(&(key, sequence));
            }
            let is_over = decision.is_applied() || *decision == Decision::Stale;
            if is_over && origin == Origin::Parked {
                world.resolve_applied(key, sequence);
            }
            match decision {
                Decision::Apply => {
                    world.effect(event(&one.envelope), key, sequence, false);
                }
                Decision::DeadLetter(_) if world.has(Bug::CursorWithoutLetter) => {}
                Decision::DeadLetter(reason) => {
                    let passed = !world.is_of_state() || world.has(Bug::LetterOfStateIsPassed);
                    world.record_dead_letter(one, reason, passed);
                }
                Decision::Late => world.record_late_event(one),
                Decision::ParkUnknown => world.record_dead_letter(one, UNKNOWN_TYPE, false),
                Decision::Duplicate
                | Decision::Stale
                | Decision::Ignore
                | Decision::ParkGap
                | Decision::ParkBehind
                | Decision::ParkDue
                | Decision::ParkRetry(_) => {}
            }
        }
        let planned = events.iter().zip(&self.decisions);
        if world.is_of_state() {
            for (one, decision) in planned {
                world.clear(one, decision, origin);
            }
        } else {
            let unsettled = planned.filter(|(_, decision)| decision.needs_settling(origin));
            let keys: BTreeSet<usize> =
                unsettled.map(|(one, _)| number(&one.envelope.subject)).collect();
            for key in keys {
                world.settle(key, consumer);
            }
        }
        world.database.unlock(consumer);
        world.record(|_| {
            let applied = events.iter().zip(&self.decisions);
            let applied = applied.filter(|(_, decision)| **decision == Decision::Apply);
            let applied = applied.map(|(one, _)| {
                let envelope = &one.envelope;
                (event(envelope), number(&envelope.subject), envelope.sequence)
            });
            Operation::End { consumer, applied: applied.collect(), is_committed: true }
        });
        // The commit may have succeeded although the connection is lost before the answer.
        if world.fault(2) { CommitOutcome::Failed } else { CommitOutcome::Committed }
    }
}

/// Records the beginning of a transaction.
fn record(
    world: &mut World,
    (consumer, version): (usize, Version),
    (events, dispositions, origin): (&[ReceivedEvent], &Dispositions, Origin),
    decisions: Option<&[Decision]>,
) {
    world.record(|world| Operation::Begin {
        consumer,
        events: events.to_vec(),
        dispositions: dispositions.clone(),
        origin,
        receptions: world.receptions(events, version),
        decisions: decisions.map(<[Decision]>::to_vec),
    });
}

/// Bugs that give the plan a wrong position.
fn misplace_before(
    world: &World,
    positions: &mut HashMap<Key, Position>,
    events: &[ReceivedEvent],
    origin: Origin,
) {
    for key in keys_of(events) {
        let of_key = events.iter().filter(|one| number(&one.envelope.subject) == key);
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

/// Bugs that save another position than planned.
fn misplace_after(
    bug: Option<Bug>,
    before: &HashMap<Key, Position>,
    after: &mut HashMap<Key, Position>,
    events: &[ReceivedEvent],
    decisions: &[Decision],
) {
    for (one, decision) in events.iter().zip(decisions) {
        let key = one.key();
        match (bug, decision) {
            (Some(Bug::LetterWithoutCursor), Decision::DeadLetter(_)) => {
                restore(after, before, &key);
            }
            (Some(Bug::UnknownIsOvertaken), Decision::ParkUnknown) => {
                after.insert(key, Position { last: one.envelope.sequence, hold: Hold::Free });
            }
            (Some(Bug::RetryIsOvertaken), _) => {
                let last = before.get(&key).map_or(0, |position| position.last);
                let position = after.entry(key).or_insert(Position::START);
                position.last = position.last.max(last);
                if matches!(decision, Decision::ParkRetry(_)) {
                    position.last = position.last.max(one.envelope.sequence);
                    position.hold = Hold::Free;
                }
            }
            _ => {}
        }
    }
}
