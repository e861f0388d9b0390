//! A person who deals with dead letters: in any order, at any time, and more than once.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::{
    bugs::Bug,
    database::full,
    handler::Answer,
    letters::{Letter, State},
    world::{World, number},
};
use crate::{
    consumer::core::{Incoming, Key, Step, runs},
    dead_letters::decisions::{Again, Docket, plan},
};

/// The person.
#[derive(Debug, Default)]
pub(super) struct Operator {
    /// A letter that has had its effect and is not yet marked: only with a bug.
    unmarked: Option<usize>,
}

impl Operator {
    /// Picks letters, and sends them again or gives the first up. Whether there was any.
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
        let letters = pick(world, count);
        for index in &letters {
            if world.random.chance(50) {
                let event = world.database.letters[*index].event;
                world.handler.mend(event);
            }
        }
        if world.random.chance(70) {
            self.redrive(world, &letters);
        } else {
            discard(world, letters[0]);
        }
        true
    }

    /// Marks what is not marked yet: at the end nobody dies any more.
    pub(super) fn mark(&mut self, world: &mut World) {
        if let Some(index) = self.unmarked.take() {
            world.database.letters[index].state = State::Redriven;
        }
    }

    /// `Redrive::all`: some letters in one transaction under the locks of their cursors, again without those that fail, and in
    /// halves if nobody knows which one does. If the process dies in it, nothing has happened.
    pub(super) fn redrive(&mut self, world: &mut World, letters: &[usize]) {
        let mut failed = HashSet::new();
        let mut ranges: VecDeque<Vec<usize>> = std::iter::once(letters.to_vec()).collect();
        while let Some(range) = ranges.pop_front() {
            match self.attempt(world, &range, &failed) {
                Attempt::Over => {}
                Attempt::Failed(found) => {
                    failed.extend(found);
                    ranges.push_front(range);
                }
                Attempt::Split => {
                    let (first, second) = range.split_at(range.len() / 2);
                    ranges.push_front(second.to_vec());
                    ranges.push_front(first.to_vec());
                }
            }
        }
    }

    fn attempt(&mut self, world: &mut World, range: &[usize], failed: &HashSet<usize>) -> Attempt {
        let letters = pending(world, range);
        let keys: BTreeSet<usize> =
            letters.iter().map(|index| world.database.letters[*index].key).collect();
        if keys.iter().any(|key| world.database.cursor_locks[*key].is_some()) {
            return Attempt::Over;
        }
        let (after, decided) = decide(world, &letters, failed);
        let incoming: Vec<Incoming> =
            letters.iter().map(|index| world.database.letters[*index].incoming()).collect();
        let step = |(one, again): (&Incoming, &Again)| {
            let is_handled = *again == Again::Effect && world.handler.handles(&one.envelope.kind);
            if is_handled { Step::Apply } else { Step::Ignore }
        };
        let steps: Vec<Step> = incoming.iter().zip(&decided).map(step).collect();
        world.check_one_of_each_key(&incoming, &steps);
        for run in runs(&incoming, &steps) {
            let events: Vec<&Incoming> =
                run.indices.iter().map(|place| &incoming[*place]).collect();
            let refused = match world.handler.handle(&events) {
                Answer::Done => continue,
                Answer::Died => return Attempt::Over,
                Answer::Failed(_) if events.len() > 1 => return Attempt::Split,
                Answer::Failed(_) => vec![0],
                Answer::Refused(refused) => refused.into_keys().collect(),
            };
            world.note(|| "    and some fail again".to_owned());
            return Attempt::Failed(
                refused.into_iter().map(|place| letters[run.indices[place]]).collect(),
            );
        }
        let dealt = letters.iter().zip(&decided).filter(|(_, again)| **again != Again::NotYet);
        let dealt: Vec<usize> = dealt.map(|(index, _)| *index).collect();
        if !dealt.is_empty() {
            world.count_again(&decided, &steps);
            self.commit(world, &letters, &steps, &dealt, &after);
        }
        Attempt::Over
    }

    fn commit(
        &mut self,
        world: &mut World,
        letters: &[usize],
        steps: &[Step],
        dealt: &[usize],
        after: &HashMap<Key, Docket>,
    ) {
        for (index, step) in letters.iter().zip(steps) {
            // The letter is as good as resolved within its own transaction.
            if dealt.contains(index) {
                world.database.letters[*index].state = State::Redriven;
            }
            if *step == Step::Apply {
                let Letter { event, key, sequence, .. } = world.database.letters[*index];
                let is_late = sequence <= world.docket(key).position.last;
                world.seen.redriven += 1;
                world.effect(event, key, sequence, is_late);
            }
        }
        world.seen.together += u64::from(dealt.len() > 1);
        for (key, docket) in after {
            world.close(number(&key.1), docket);
        }
        if let [index] = dealt
            && world.has(Bug::RedriveMarkedLater)
        {
            world.database.letters[*index].state = State::Pending;
            self.unmarked = Some(*index);
        }
    }
}

/// Any letters that became so one after the other, or any of one key.
fn pick(world: &mut World, count: usize) -> Vec<usize> {
    let first = world.random.below(count);
    let many = world.random.pick([1, 1, 2, 5]);
    let is_of_one_key = world.random.chance(50);
    let letters = &world.database.letters;
    let is_meant = |index: &usize| !is_of_one_key || letters[*index].key == letters[first].key;
    (first..count).filter(is_meant).take(many).collect()
}

/// Those of some letters that can be sent again, in the order of keys and numbers.
fn pending(world: &World, range: &[usize]) -> Vec<usize> {
    let letters = &world.database.letters;
    let is_pending = |index: &&usize| {
        letters[**index].state == State::Pending || world.has(Bug::ResolvedIsRedriven)
    };
    let mut pending: Vec<usize> = range.iter().filter(is_pending).copied().collect();
    pending.sort_by_key(|index| (letters[*index].key, letters[*index].sequence));
    pending
}

/// What sending these letters again comes to, and what their keys are like after it.
fn decide(
    world: &mut World,
    letters: &[usize],
    failed: &HashSet<usize>,
) -> (HashMap<Key, Docket>, Vec<Again>) {
    let (mut dockets, mut numbers) = (HashMap::new(), Vec::new());
    for (place, index) in letters.iter().enumerate() {
        let letter = &world.database.letters[*index];
        let (key, sequence) = (letter.key, letter.sequence);
        let docket = dockets.entry(full(key)).or_insert_with(|| world.docket(key));
        // Pending it is in any case, but for a bug.
        docket.pending.insert(sequence, letter.pending());
        numbers.push((full(key), sequence));
        if world.has(Bug::FailedIsOvertaken) && failed.contains(&letters[place]) {
            docket.pending.remove(&sequence);
        }
    }
    let has_failed = |place: usize| failed.contains(&letters[place]);
    let moves_always = world.has(Bug::IgnoredLetterMakesStale);
    let is_handled = |place: usize| {
        let letter = &world.database.letters[letters[place]];
        moves_always || world.handler.handles(&letter.envelope.kind)
    };
    let mut decided = if world.has(Bug::LettersOfAKeyTogether) {
        let one = |(place, (key, sequence)): (usize, &(Key, i64))| {
            plan(&mut dockets, [(key, *sequence)], |_| has_failed(place), |_| is_handled(place))[0]
        };
        numbers.iter().enumerate().map(one).collect()
    } else {
        let named = numbers.iter().map(|(key, sequence)| (key, *sequence));
        plan(&mut dockets, named, has_failed, is_handled)
    };
    let redrives_done =
        if world.is_of_state() { Bug::OvertakenLetterIsRedriven } else { Bug::EffectIsRedriven };
    if world.has(redrives_done) {
        for again in decided.iter_mut().filter(|again| **again == Again::Mark) {
            *again = Again::Effect;
        }
    }
    world.note(|| format!("operator sends {numbers:?} again: {decided:?}"));
    (dockets, decided)
}

/// How one attempt at some letters ended.
enum Attempt {
    /// Committed, or nothing was to be done, or nothing could be.
    Over,
    /// Rolled back: these fail.
    Failed(Vec<usize>),
    /// Rolled back: one of them fails, and nobody knows which.
    Split,
}

/// `dead_letters::discard`: one transaction.
pub(super) fn discard(world: &mut World, index: usize) {
    let letter = &world.database.letters[index];
    let (key, sequence) = (letter.key, letter.sequence);
    if letter.state != State::Pending || world.database.cursor_locks[key].is_some() {
        return;
    }
    let mut docket = world.docket(key);
    let last = docket.position.last;
    if !docket.discard(sequence) {
        return;
    }
    world.note(|| format!("operator gives {key}/{sequence} up"));
    world.seen.discarded += 1;
    world.database.letters[index].state = State::Discarded;
    if world.has(Bug::DiscardedMakesStale) && world.is_of_state() {
        docket.position.last = last.max(sequence);
    }
    if sequence > last && !world.is_of_state() {
        world.database.given_up.push((key, last, sequence));
    }
    world.close(key, &docket);
}
