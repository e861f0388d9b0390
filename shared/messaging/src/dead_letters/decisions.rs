//! What is decided about dead letters, without any I/O.

use std::collections::{BTreeMap, HashMap};

use crate::consumer::core::{Hold, Key, Position};

/// What sending a dead letter again comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// What stands before it must be dealt with first.
    NotYet,
    /// Its event takes effect now.
    Effect,
    /// Its event has taken effect: it only remains to write down that the letter is dealt with.
    Mark,
}

/// A pending letter, as far as the others of its key are concerned with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Whether later events of the key wait for it.
    pub(crate) blocks: bool,
    /// Whether the cursor has gone past it without an effect.
    pub(crate) passed: bool,
    /// Whether it is of a subscription to full state, where the newest of a key wins: it waits for nothing and holds back nothing.
    pub(crate) is_of_state: bool,
}

/// A key with its cursor and its pending letters by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Docket {
    pub(crate) position: Position,
    pub(crate) pending: BTreeMap<i64, Pending>,
}

impl Docket {
    /// A key that has no letters.
    pub(crate) const fn new(position: Position) -> Self {
        Self { position, pending: BTreeMap::new() }
    }

    /// Sends letter number `sequence` again, whose event somebody handles or nobody. Unless it is too early, the letter is dealt
    /// with.
    pub(crate) fn redrive(&mut self, sequence: i64, is_handled: bool) -> Again {
        let last = self.position.last;
        if self.is_of_state(sequence) {
            self.pending.remove(&sequence);
            if sequence <= last {
                return Again::Mark;
            }
            // Nothing of full state is made stale by what nobody handles: an older event is better than none.
            if is_handled {
                self.position.last = sequence;
            }
            return Again::Effect;
        }
        let passed = self.pending.get(&sequence).is_some_and(|letter| letter.passed);
        if sequence > last + 1 || self.is_behind_another(sequence) {
            return Again::NotYet;
        }
        self.deal_with(sequence);
        // An event that waited in vain for its predecessor may have come once more together with it, and taken effect.
        if !passed && sequence <= last { Again::Mark } else { Again::Effect }
    }

    /// Gives letter number `sequence` up, and with it what it waited for. Whether it could be: not before those that block it.
    pub(crate) fn discard(&mut self, sequence: i64) -> bool {
        if self.is_of_state(sequence) {
            self.pending.remove(&sequence);
            return true;
        }
        let can_be = !self.is_behind_another(sequence);
        if can_be {
            // If the cursor leaps now, it goes past the letters in between without an effect of theirs: sent again, they have
            // one.
            let last = self.position.last;
            for (between, letter) in self.pending.range_mut(..sequence) {
                letter.passed |= *between > last;
            }
            self.deal_with(sequence);
        }
        can_be
    }

    fn is_of_state(&self, sequence: i64) -> bool {
        self.pending.get(&sequence).is_some_and(|letter| letter.is_of_state)
    }

    /// Whether an earlier letter blocks the key: that must be dealt with first.
    fn is_behind_another(&self, sequence: i64) -> bool {
        self.pending.range(..sequence).any(|(_, letter)| letter.blocks)
    }

    /// The key goes on, unless another letter blocks it as well.
    fn deal_with(&mut self, sequence: i64) {
        self.pending.remove(&sequence);
        self.position.last = self.position.last.max(sequence);
        let is_blocked = self.pending.values().any(|letter| letter.blocks && letter.passed);
        if self.position.hold == Hold::Blocked && !is_blocked {
            self.position.hold = Hold::Parked;
        }
    }
}

/// Decides about sending `letters` again in one transaction, given as keys and numbers in the order of the numbers, and moves
/// `dockets` along. Those at a place of which `has_failed` is true stay as they are; `is_handled` says which have a handler. Of
/// letters of full state only the newest of a key has an effect, and those before it are overtaken by it; so only one of a key
/// has, which is what their handlers are promised.
pub(crate) fn plan<'a>(
    dockets: &mut HashMap<Key, Docket>,
    letters: impl IntoIterator<Item = (&'a Key, i64)>,
    has_failed: impl Fn(usize) -> bool,
    is_handled: impl Fn(usize) -> bool,
) -> Vec<Again> {
    let letters: Vec<(&Key, i64)> = letters.into_iter().collect();
    let (of_state, in_turn): (Vec<usize>, Vec<usize>) = (0..letters.len()).partition(|index| {
        let (key, sequence) = letters[*index];
        dockets.get(key).is_some_and(|docket| docket.is_of_state(sequence))
    });
    let mut decided = vec![Again::NotYet; letters.len()];
    for index in of_state.into_iter().rev().chain(in_turn) {
        let (key, sequence) = letters[index];
        if !has_failed(index)
            && let Some(docket) = dockets.get_mut(key)
        {
            decided[index] = docket.redrive(sequence, is_handled(index));
        }
    }
    decided
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{Again, Docket, Pending, plan};
    use crate::consumer::core::{Hold, Key, Position};

    fn docket(last: i64, hold: Hold, pending: &[(i64, bool, bool)]) -> Docket {
        let mut docket = Docket::new(Position { last, hold });
        for (sequence, blocks, passed) in pending.iter().copied() {
            docket.pending.insert(sequence, Pending { blocks, passed, is_of_state: false });
        }
        docket
    }

    fn redrive_all(docket: Docket, sequences: &[i64], failed: &[usize]) -> (Vec<Again>, Docket) {
        let key: Key = ("order".to_owned(), "k".to_owned());
        let mut dockets = HashMap::from([(key.clone(), docket)]);
        let letters = sequences.iter().map(|sequence| (&key, *sequence));
        let decided = plan(&mut dockets, letters, |index| failed.contains(&index), |_| true);
        (decided, dockets.remove(&key).unwrap())
    }

    #[test]
    fn letters_of_a_key_are_sent_again_one_behind_the_other() {
        let two = docket(2, Hold::Blocked, &[(1, true, true), (2, true, true)]);
        let (decided, after) = redrive_all(two.clone(), &[1, 2], &[]);
        assert_eq!(decided, [Again::Effect, Again::Effect]);
        assert_eq!(after.position, Position { last: 2, hold: Hold::Parked });
        let (decided, after) = redrive_all(two.clone(), &[2], &[]);
        assert_eq!(decided, [Again::NotYet]);
        assert_eq!(after, two);
    }

    #[test]
    fn a_letter_that_fails_holds_back_those_behind_it_if_it_blocks() {
        let blocking = docket(2, Hold::Blocked, &[(1, true, true), (2, true, true)]);
        let (decided, after) = redrive_all(blocking.clone(), &[1, 2], &[0]);
        assert_eq!(decided, [Again::NotYet, Again::NotYet]);
        assert_eq!(after, blocking);
        let loose = docket(2, Hold::Free, &[(1, false, true), (2, false, true)]);
        assert_eq!(redrive_all(loose, &[1, 2], &[0]).0, [Again::NotYet, Again::Effect]);
    }

    #[test]
    fn what_waited_for_its_predecessor_takes_effect_behind_it_or_has_done_so() {
        let lonely = [(3, false, false)];
        let at = |last| redrive_all(docket(last, Hold::Parked, &lonely), &[3], &[]).0;
        assert_eq!([at(1), at(2), at(3)], [[Again::NotYet], [Again::Effect], [Again::Mark]]);
    }

    #[test]
    fn letters_of_full_state_wait_for_nothing_and_the_newest_wins() {
        let letter = Pending { blocks: false, passed: false, is_of_state: true };
        let mut key = docket(5, Hold::Free, &[]);
        key.pending.extend([(3, letter), (7, letter), (9, letter)]);
        let (decided, after) = redrive_all(key.clone(), &[3], &[]);
        assert_eq!((decided, after.position.last), (vec![Again::Mark], 5));
        let (decided, after) = redrive_all(key.clone(), &[7, 9], &[]);
        assert_eq!((decided, after.position.last), (vec![Again::Mark, Again::Effect], 9));
        let (decided, after) = redrive_all(key.clone(), &[7, 9], &[1]);
        assert_eq!((decided, after.position.last), (vec![Again::Effect, Again::NotYet], 7));
        assert!(key.discard(9));
        assert_eq!((key.position.last, key.pending.len()), (5, 2));
    }

    #[test]
    fn a_letter_of_full_state_that_nobody_handles_makes_nothing_stale() {
        let mut key = docket(5, Hold::Free, &[]);
        let letter = Pending { blocks: false, passed: false, is_of_state: true };
        key.pending.extend([(7, letter), (9, letter)]);
        assert_eq!(key.redrive(9, false), Again::Effect);
        assert_eq!((key.position.last, key.pending.len()), (5, 1));
        assert_eq!(key.redrive(7, true), Again::Effect);
    }

    #[test]
    fn a_leap_tells_the_letters_between() {
        let mut key = docket(1, Hold::Parked, &[(3, false, false), (5, false, false)]);
        assert!(key.discard(5));
        assert_eq!(key, docket(5, Hold::Parked, &[(3, false, true)]));
        assert_eq!(key.redrive(3, true), Again::Effect);
    }
}
