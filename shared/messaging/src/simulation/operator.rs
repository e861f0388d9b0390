//! An operator who resolves dead letters in any order, at any time, and repeatedly.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::{
    bugs::Bug,
    events::{full, number},
    handler::{HandlerResult, Version},
    journal::Operation,
    letter::{Letter, State},
    world::World,
};
use crate::{
    consume::{
        dead_letter::{DECLARED_LOST, MISSING_PREDECESSOR},
        plan::{Decision, handler_calls},
        received_event::{Key, ReceivedEvent},
        subscription::{OnReject, Ordering, Reception},
    },
    dead_letters::plan::{KeyLetters, RedriveDecision, plan_redrive},
};

#[derive(Debug, Default)]
pub(super) struct Operator {
    /// A letter whose effect is committed but which is not marked as resolved yet; only with a bug.
    unmarked: Option<usize>,
}

impl Operator {
    /// Selects letters, and redrives them or discards the first. Returns whether there were any.
    pub(super) fn step(&mut self, world: &mut World) -> bool {
        let count = world.database.letters.len();
        if let Some(index) = self.unmarked.take() {
            if !world.fault(30) {
                world.database.letters[index].state = State::Redriven;
            }
            return true;
        }
        if count == 0 {
            return false;
        }
        let letters = pick_letters(world, count);
        for index in &letters {
            if world.random.chance(50) {
                let event = world.database.letters[*index].event;
                world.handler.fix(event);
            }
        }
        let is_gap = world.database.letters[letters[0]].reason == MISSING_PREDECESSOR;
        if world.random.chance(if is_gap { 35 } else { 20 }) {
            world.declare_lost(letters[0]);
        } else if world.random.chance(70) {
            self.redrive(world, &letters);
        } else {
            discard(world, letters[0]);
        }
        true
    }

    /// Marks the pending letter at the end of a schedule.
    pub(super) fn mark(&mut self, world: &mut World) {
        if let Some(index) = self.unmarked.take() {
            world.database.letters[index].state = State::Redriven;
        }
    }

    /// `Redriver::redrive`: letters in one transaction under the locks of their cursors, again without failed
    /// ones, in halves if the failed one is unknown. If the process dies, nothing has happened.
    pub(super) fn redrive(&mut self, world: &mut World, letters: &[usize]) {
        let is_old = world.faults > 0 && world.random.chance(50);
        let version = if is_old { Version::Old } else { Version::New };
        let mut failed = HashSet::new();
        let mut ranges: VecDeque<Vec<usize>> = std::iter::once(letters.to_vec()).collect();
        while let Some(range) = ranges.pop_front() {
            match self.attempt(world, &range, &failed, version) {
                Attempt::Done => {}
                Attempt::Failed(found) => {
                    failed.extend(found);
                    ranges.push_front(range);
                }
                Attempt::BatchFailed => {
                    let (first, second) = range.split_at(range.len() / 2);
                    ranges.push_front(second.to_vec());
                    ranges.push_front(first.to_vec());
                }
            }
        }
    }

    fn attempt(
        &mut self,
        world: &mut World,
        range: &[usize],
        failed: &HashSet<usize>,
        version: Version,
    ) -> Attempt {
        let letters = pending(world, range);
        let keys: BTreeSet<usize> =
            letters.iter().map(|index| world.database.letters[*index].key).collect();
        if keys.iter().any(|key| world.database.cursor_locks[*key].is_some()) {
            return Attempt::Done;
        }
        let is_unknown = |index: &&usize| {
            let kind = &world.database.letters[**index].envelope.kind;
            world.handler.reception(kind, version) == Reception::Unknown
        };
        let unknown: Vec<usize> = letters
            .iter()
            .filter(|index| !failed.contains(index))
            .filter(is_unknown)
            .copied()
            .collect();
        if !unknown.is_empty() {
            return Attempt::Failed(unknown);
        }
        let (after, redrive_decisions) = decide(world, &letters, failed);
        let events: Vec<ReceivedEvent> =
            letters.iter().map(|index| world.database.letters[*index].received_event()).collect();
        let decide = |(event, decision): (&ReceivedEvent, &RedriveDecision)| {
            let is_handled =
                *decision == RedriveDecision::Apply && world.handler.handles(&event.envelope.kind);
            if is_handled { Decision::Apply } else { Decision::Ignore }
        };
        let decisions: Vec<Decision> = events.iter().zip(&redrive_decisions).map(decide).collect();
        world.check_one_event_per_key(&events, &decisions);
        for call in handler_calls(&events, &decisions) {
            let events: Vec<&ReceivedEvent> =
                call.indices.iter().map(|index| &events[*index]).collect();
            let failed = match world.handler.handle(&events) {
                HandlerResult::Done => continue,
                HandlerResult::Died => return Attempt::Done,
                HandlerResult::BatchFailed(_) if events.len() > 1 => return Attempt::BatchFailed,
                HandlerResult::BatchFailed(_) => vec![0],
                HandlerResult::Failed(failed) => failed.into_keys().collect(),
            };
            world.note(|| "    some fail again".to_owned());
            return Attempt::Failed(
                failed.into_iter().map(|index| letters[call.indices[index]]).collect(),
            );
        }
        let resolved = letters.iter().zip(&redrive_decisions);
        let resolved = resolved.filter(|(_, one)| **one != RedriveDecision::NotYet);
        let resolved: Vec<usize> = resolved.map(|(index, _)| *index).collect();
        let is_handled =
            |index: &usize| world.handler.handles(&world.database.letters[*index].envelope.kind);
        let handled: BTreeSet<usize> =
            letters.iter().filter(|index| is_handled(index)).copied().collect();
        if !resolved.is_empty() {
            world.count_redrive(&redrive_decisions, &decisions);
            self.commit(world, &letters, &decisions, &resolved, &after);
        }
        world.record(|world| {
            let applied = letters.iter().zip(&decisions);
            let applied = applied.filter(|(_, decision)| **decision == Decision::Apply);
            let applied = applied.map(|(index, _)| {
                let Letter { event, key, sequence, .. } = world.database.letters[*index];
                (event, key, sequence)
            });
            Operation::Redrive {
                applied: applied.collect(),
                letters: letters.clone(),
                failed: failed.iter().copied().collect(),
                handled,
                decisions: redrive_decisions,
                resolved,
            }
        });
        Attempt::Done
    }

    fn commit(
        &mut self,
        world: &mut World,
        letters: &[usize],
        decisions: &[Decision],
        resolved: &[usize],
        after: &HashMap<Key, KeyLetters>,
    ) {
        for (index, decision) in letters.iter().zip(decisions) {
            // Within its own transaction, the letter already counts as resolved.
            if resolved.contains(index) {
                world.database.letters[*index].state = State::Redriven;
            }
            if *decision == Decision::Apply {
                let Letter { event, key, sequence, reason, .. } = world.database.letters[*index];
                let is_late = sequence <= world.letters_of_key(key).position.last
                    && (reason == DECLARED_LOST
                        || world.ordering == Ordering::Sequenced(OnReject::Continue));
                world.coverage.redriven += 1;
                world.effect(event, key, sequence, is_late);
            }
        }
        world.coverage.together += u64::from(resolved.len() > 1);
        for (key, letters) in after {
            world.close(number(&key.1), letters);
        }
        if let [index] = resolved
            && world.has(Bug::RedriveMarkedLater)
        {
            world.database.letters[*index].state = State::Pending;
            self.unmarked = Some(*index);
        }
    }
}

/// Consecutive letters, or letters of one key.
fn pick_letters(world: &mut World, count: usize) -> Vec<usize> {
    let first = world.random.below(count);
    let many = world.random.pick([1, 2, 3, 5]);
    let is_of_one_key = world.random.chance(50);
    let letters = &world.database.letters;
    let is_meant = |index: &usize| !is_of_one_key || letters[*index].key == letters[first].key;
    (first..count).filter(is_meant).take(many).collect()
}

/// The letters that can be redriven, in order of key and sequence.
fn pending(world: &World, range: &[usize]) -> Vec<usize> {
    let letters = &world.database.letters;
    let is_pending = |index: &&usize| {
        letters[**index].state == State::Pending || world.has(Bug::ResolvedIsRedriven)
    };
    let mut pending: Vec<usize> = range.iter().filter(is_pending).copied().collect();
    pending.sort_by_key(|index| (letters[*index].key, letters[*index].sequence));
    pending
}

/// The decisions about a redrive, and the state of the keys after it.
fn decide(
    world: &mut World,
    letters: &[usize],
    failed: &HashSet<usize>,
) -> (HashMap<Key, KeyLetters>, Vec<RedriveDecision>) {
    let (mut keys, mut numbers) = (HashMap::new(), Vec::new());
    for (position, index) in letters.iter().enumerate() {
        let letter = &world.database.letters[*index];
        let (key, sequence) = (letter.key, letter.sequence);
        let of_key = keys.entry(full(key)).or_insert_with(|| world.letters_of_key(key));
        // It is pending in any case, except with a bug.
        let hold = of_key.position.hold;
        of_key.pending.insert(sequence, letter.pending(hold));
        numbers.push((full(key), sequence));
        if world.has(Bug::FailedIsOvertaken) && failed.contains(&letters[position]) {
            of_key.pending.remove(&sequence);
        }
    }
    let has_failed = |position: usize| failed.contains(&letters[position]);
    let moves_always = world.has(Bug::IgnoredLetterMakesStale);
    let is_handled = |position: usize| {
        let letter = &world.database.letters[letters[position]];
        moves_always || world.handler.handles(&letter.envelope.kind)
    };
    let mut decisions = if world.has(Bug::LettersOfAKeyTogether) {
        let decide = |(position, (key, sequence)): (usize, &(Key, i64))| {
            plan_redrive(
                &mut keys,
                [(key, *sequence)],
                |_| has_failed(position),
                |_| is_handled(position),
            )[0]
        };
        numbers.iter().enumerate().map(decide).collect()
    } else {
        let named = numbers.iter().map(|(key, sequence)| (key, *sequence));
        plan_redrive(&mut keys, named, has_failed, is_handled)
    };
    let bug =
        if world.is_of_state() { Bug::OvertakenLetterIsRedriven } else { Bug::AppliedIsRedriven };
    if world.has(bug) {
        for decision in decisions.iter_mut().filter(|one| **one == RedriveDecision::MarkResolved) {
            *decision = RedriveDecision::Apply;
        }
    }
    world.note(|| format!("operator redrives {numbers:?}: {decisions:?}"));
    (keys, decisions)
}

/// The result of one attempt.
enum Attempt {
    /// Committed, or nothing to do, or blocked by a lock.
    Done,
    /// Rolled back: these letters fail.
    Failed(Vec<usize>),
    /// Rolled back: an unknown letter fails.
    BatchFailed,
}

/// `dead_letters::discard`: one transaction.
pub(super) fn discard(world: &mut World, index: usize) {
    let letter = &world.database.letters[index];
    let (key, sequence) = (letter.key, letter.sequence);
    if letter.state != State::Pending || world.database.cursor_locks[key].is_some() {
        return;
    }
    let mut letters = world.letters_of_key(key);
    let last = letters.position.last;
    if !letters.discard(sequence) {
        world.record(|_| Operation::Discard { letter: index, is_done: false });
        return;
    }
    world.note(|| format!("operator discards {key}/{sequence}"));
    world.coverage.discarded += 1;
    world.database.letters[index].state = State::Discarded;
    if world.has(Bug::DiscardedMakesStale) && world.is_of_state() {
        letters.position.last = last.max(sequence);
    }
    if sequence > last && !world.is_of_state() {
        world.database.given_up.push((key, last, sequence));
    }
    world.close(key, &letters);
    world.record(|_| Operation::Discard { letter: index, is_done: true });
}
