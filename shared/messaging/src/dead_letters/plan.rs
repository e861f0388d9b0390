//! The decisions about dead letters without I/O.

use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
};

use crate::consume::{
    dead_letter::MISSING_PREDECESSOR,
    plan::{Hold, Position},
    received_event::Key,
};

/// What a redrive does with a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RedriveDecision {
    /// An earlier event or letter must be resolved first.
    NotYet,
    Apply,
    /// The event was applied already: the letter is only marked as resolved.
    MarkResolved,
}

/// The state of a pending letter that matters for the others of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PendingLetter {
    /// Whether later events of the key wait for it.
    pub(crate) blocks: bool,
    /// Whether the cursor has moved past it without applying it.
    pub(crate) passed: bool,
    /// Whether it belongs to a state subscription, where the newest event of a key wins: it waits for nothing
    /// and blocks nothing.
    pub(crate) is_of_state: bool,
}

impl PendingLetter {
    /// The pending letter of a key with this hold.
    ///
    /// The cursor of a sequenced subscription passes every letter, except one that waits for its predecessor or for a program that
    /// knows its type. Such a letter stays parked and holds its key. The cursor of a state subscription passes no letter and holds
    /// no key.
    pub(crate) fn new(blocks: bool, passed: bool, reason: &str, hold: Hold) -> Self {
        // Earlier versions did not park an event whose predecessor was missing.
        let is_of_state = !passed && reason != MISSING_PREDECESSOR && hold == Hold::Free;
        Self { blocks, passed, is_of_state }
    }
}

/// A key with its cursor and its pending letters by sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyLetters {
    pub(crate) position: Position,
    pub(crate) pending: BTreeMap<i64, PendingLetter>,
}

impl KeyLetters {
    /// A key without letters.
    pub(crate) const fn new(position: Position) -> Self {
        Self { position, pending: BTreeMap::new() }
    }

    /// Redrives letter number `sequence`; `is_handled` tells whether its event has a handler. Unless it is
    /// too early, the letter is resolved.
    pub(crate) fn redrive(&mut self, sequence: i64, is_handled: bool) -> RedriveDecision {
        let last = self.position.last;
        if self.is_of_state(sequence) {
            self.pending.remove(&sequence);
            if sequence <= last {
                return RedriveDecision::MarkResolved;
            }
            // An event without a handler makes nothing stale: an older event may still be applied.
            if is_handled {
                self.position.last = sequence;
            }
            return RedriveDecision::Apply;
        }
        let passed = self.pending.get(&sequence).is_some_and(|letter| letter.passed);
        if sequence > last + 1 || self.is_blocked_by_earlier(sequence) {
            return RedriveDecision::NotYet;
        }
        self.resolve(sequence);
        // An event with a missing predecessor may have been redelivered after it, and applied.
        if !passed && sequence <= last {
            RedriveDecision::MarkResolved
        } else {
            RedriveDecision::Apply
        }
    }

    /// Discards letter number `sequence`, and gives up its missing predecessors. Returns whether that was
    /// possible: not before the letters that block it.
    pub(crate) fn discard(&mut self, sequence: i64) -> bool {
        if self.is_of_state(sequence) {
            self.pending.remove(&sequence);
            return true;
        }
        let is_possible = !self.is_blocked_by_earlier(sequence);
        if is_possible {
            // If the cursor leaps, it passes the letters in between without applying them: a redrive applies
            // them.
            let last = self.position.last;
            for (between, letter) in self.pending.range_mut(..sequence) {
                letter.passed |= *between > last;
            }
            self.resolve(sequence);
        }
        is_possible
    }

    fn is_of_state(&self, sequence: i64) -> bool {
        self.pending.get(&sequence).is_some_and(|letter| letter.is_of_state)
    }

    /// Whether an earlier letter blocks the key.
    fn is_blocked_by_earlier(&self, sequence: i64) -> bool {
        self.pending.range(..sequence).any(|(_, letter)| letter.blocks)
    }

    /// Resolves a letter. The key proceeds unless another letter blocks it.
    fn resolve(&mut self, sequence: i64) {
        self.pending.remove(&sequence);
        self.position.last = self.position.last.max(sequence);
        let is_blocked = self.pending.values().any(|letter| letter.blocks && letter.passed);
        if self.position.hold == Hold::Blocked && !is_blocked {
            self.position.hold = Hold::Parked;
        }
    }
}

/// The numbers that are missing after `last`, before the first event that waits.
pub(crate) fn missing_before(last: i64, first_waiting: Option<i64>) -> Option<RangeInclusive<i64>> {
    first_waiting.filter(|first| *first > last + 1).map(|first| last + 1..=first - 1)
}

/// Decides about redriving `letters` in one transaction, given as keys and numbers in sequence, and updates
/// `keys`. Letters for which `has_failed` holds are skipped; `is_handled` tells which have a handler.
///
/// Of the letters of full state of a key, only the newest is applied, and older ones become stale: handlers
/// are promised at most one event per key.
pub(crate) fn plan_redrive<'a>(
    keys: &mut HashMap<Key, KeyLetters>,
    letters: impl IntoIterator<Item = (&'a Key, i64)>,
    has_failed: impl Fn(usize) -> bool,
    is_handled: impl Fn(usize) -> bool,
) -> Vec<RedriveDecision> {
    let letters: Vec<(&Key, i64)> = letters.into_iter().collect();
    let (of_state, sequenced): (Vec<usize>, Vec<usize>) = (0..letters.len()).partition(|index| {
        let (key, sequence) = letters[*index];
        keys.get(key).is_some_and(|letters| letters.is_of_state(sequence))
    });
    let mut decisions = vec![RedriveDecision::NotYet; letters.len()];
    for index in of_state.into_iter().rev().chain(sequenced) {
        let (key, sequence) = letters[index];
        if !has_failed(index)
            && let Some(letters) = keys.get_mut(key)
        {
            decisions[index] = letters.redrive(sequence, is_handled(index));
        }
    }
    decisions
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{KeyLetters, PendingLetter, RedriveDecision, plan_redrive};
    use crate::consume::{
        plan::{Hold, Position},
        received_event::Key,
    };

    #[test]
    fn the_key_of_a_letter_of_state_is_free() {
        let is_of_state =
            |passed, reason, hold| PendingLetter::new(false, passed, reason, hold).is_of_state;
        assert!(is_of_state(false, "unknown_type", Hold::Free));
        assert!(!is_of_state(false, "unknown_type", Hold::Parked));
        assert!(!is_of_state(false, "missing_predecessor", Hold::Free));
        assert!(!is_of_state(true, "bad", Hold::Free));
    }

    fn key_letters(last: i64, hold: Hold, pending: &[(i64, bool, bool)]) -> KeyLetters {
        let mut letters = KeyLetters::new(Position { last, hold });
        for (sequence, blocks, passed) in pending.iter().copied() {
            letters.pending.insert(sequence, PendingLetter { blocks, passed, is_of_state: false });
        }
        letters
    }

    fn redrive_all(
        letters: KeyLetters,
        sequences: &[i64],
        failed: &[usize],
    ) -> (Vec<RedriveDecision>, KeyLetters) {
        let key: Key = ("order".to_owned(), "k".to_owned());
        let mut keys = HashMap::from([(key.clone(), letters)]);
        let letters = sequences.iter().map(|sequence| (&key, *sequence));
        let decisions = plan_redrive(&mut keys, letters, |index| failed.contains(&index), |_| true);
        (decisions, keys.remove(&key).unwrap())
    }

    #[test]
    fn letters_of_a_key_are_redriven_in_sequence() {
        let two = key_letters(2, Hold::Blocked, &[(1, true, true), (2, true, true)]);
        let (decisions, after) = redrive_all(two.clone(), &[1, 2], &[]);
        assert_eq!(decisions, [RedriveDecision::Apply, RedriveDecision::Apply]);
        assert_eq!(after.position, Position { last: 2, hold: Hold::Parked });
        let (decisions, after) = redrive_all(two.clone(), &[2], &[]);
        assert_eq!(decisions, [RedriveDecision::NotYet]);
        assert_eq!(after, two);
    }

    #[test]
    fn a_failed_letter_blocks_later_ones_if_it_blocks_its_key() {
        let blocking = key_letters(2, Hold::Blocked, &[(1, true, true), (2, true, true)]);
        let (decisions, after) = redrive_all(blocking.clone(), &[1, 2], &[0]);
        assert_eq!(decisions, [RedriveDecision::NotYet, RedriveDecision::NotYet]);
        assert_eq!(after, blocking);
        let loose = key_letters(2, Hold::Free, &[(1, false, true), (2, false, true)]);
        assert_eq!(
            redrive_all(loose, &[1, 2], &[0]).0,
            [RedriveDecision::NotYet, RedriveDecision::Apply]
        );
    }

    #[test]
    fn a_letter_applies_after_its_missing_predecessor() {
        let missing = [(3, false, false)];
        let at = |last| redrive_all(key_letters(last, Hold::Parked, &missing), &[3], &[]).0;
        assert_eq!(
            [at(1), at(2), at(3)],
            [[RedriveDecision::NotYet], [RedriveDecision::Apply], [RedriveDecision::MarkResolved]]
        );
    }

    #[test]
    fn letters_of_full_state_never_wait_and_the_newest_wins() {
        let letter = PendingLetter { blocks: false, passed: false, is_of_state: true };
        let mut key = key_letters(5, Hold::Free, &[]);
        key.pending.extend([(3, letter), (7, letter), (9, letter)]);
        let (decisions, after) = redrive_all(key.clone(), &[3], &[]);
        assert_eq!((decisions, after.position.last), (vec![RedriveDecision::MarkResolved], 5));
        let (decisions, after) = redrive_all(key.clone(), &[7, 9], &[]);
        assert_eq!(
            (decisions, after.position.last),
            (vec![RedriveDecision::MarkResolved, RedriveDecision::Apply], 9)
        );
        let (decisions, after) = redrive_all(key.clone(), &[7, 9], &[1]);
        assert_eq!(
            (decisions, after.position.last),
            (vec![RedriveDecision::Apply, RedriveDecision::NotYet], 7)
        );
        assert!(key.discard(9));
        assert_eq!((key.position.last, key.pending.len()), (5, 2));
    }

    #[test]
    fn a_letter_without_a_handler_makes_nothing_stale() {
        let mut key = key_letters(5, Hold::Free, &[]);
        let letter = PendingLetter { blocks: false, passed: false, is_of_state: true };
        key.pending.extend([(7, letter), (9, letter)]);
        assert_eq!(key.redrive(9, false), RedriveDecision::Apply);
        assert_eq!((key.position.last, key.pending.len()), (5, 1));
        assert_eq!(key.redrive(7, true), RedriveDecision::Apply);
    }

    #[test]
    fn a_cursor_leap_marks_the_letters_in_between() {
        let mut key = key_letters(1, Hold::Parked, &[(3, false, false), (5, false, false)]);
        assert!(key.discard(5));
        assert_eq!(key, key_letters(5, Hold::Parked, &[(3, false, true)]));
        assert_eq!(key.redrive(3, true), RedriveDecision::Apply);
    }
}
