//! The database of a subscriber, as tables in memory. Every method models the statement or
//! transaction of the kit that it names. Rows that the kit locks are locked here as well.

use std::collections::{BTreeMap, HashMap};

use super::{
    bugs::Bug,
    events::{KEYS, full, number},
    letter::Letter,
    parked::Parked,
};
use crate::consume::{
    plan::Position,
    received_event::Key,
    received_positions::{Finding, StoredPositions},
};

/// An applied event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effect {
    pub(super) event: usize,
    pub(super) key: usize,
    pub(super) sequence: i64,
    /// Whether it was redriven after the cursor had passed it: only then it may follow later events.
    pub(super) is_late: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Database {
    /// `messaging.cursor`, with the holders of its row locks.
    pub(super) cursors: [Option<Position>; KEYS],
    pub(super) cursor_locks: [Option<usize>; KEYS],
    /// The rows of `messaging.parked` that a running retry has locked, with the holders of the locks.
    pub(super) parked_locks: BTreeMap<(usize, i64), usize>,
    /// `messaging.parked` by key and sequence.
    pub(super) parked: BTreeMap<(usize, i64), Parked>,
    /// `messaging.dead_letter`.
    pub(super) letters: Vec<Letter>,
    /// The effects of the handler, in commit order.
    pub(super) effects: Vec<Effect>,
    /// Missing predecessors that were given up with a discarded letter: the key, and the exclusive bounds of
    /// their numbers.
    pub(super) given_up: Vec<(usize, i64, i64)>,
    /// `messaging.lost_event`: keys and numbers that were declared lost, and whether they have arrived.
    pub(super) lost: BTreeMap<(usize, i64), bool>,
    /// `messaging.received_position` by slot.
    pub(super) received: BTreeMap<i16, StoredPositions>,
    /// The dead letters about messages instead of events.
    pub(super) findings: Vec<Finding>,
}

impl Database {
    /// Whether another actor has locked the cursor of a key.
    pub(super) fn is_locked(&self, key: usize, by: usize) -> bool {
        self.cursor_locks[key].is_some_and(|holder| holder != by)
    }

    /// `cursors::lock`, after all locks are free. Missing rows are not locked.
    pub(super) fn lock(&mut self, keys: &[usize], by: usize) -> HashMap<Key, Position> {
        let mut positions = HashMap::with_capacity(keys.len());
        for key in keys {
            if let Some(position) = self.cursors[*key] {
                self.cursor_locks[*key] = Some(by);
                positions.insert(full(*key), position);
            }
        }
        positions
    }

    /// `parking::lock`: whether the row exists and no other actor has locked it.
    pub(super) fn lock_parked(&mut self, position: (usize, i64), by: usize) -> bool {
        let is_free = self.is_parked_free(position, by) && self.parked.contains_key(&position);
        if is_free {
            self.parked_locks.insert(position, by);
        }
        is_free
    }

    /// Whether no other actor has locked a row.
    pub(super) fn is_parked_free(&self, position: (usize, i64), by: usize) -> bool {
        self.parked_locks.get(&position).is_none_or(|holder| *holder == by)
    }

    /// `cursors::read`.
    pub(super) fn read(&self, keys: &[usize]) -> HashMap<Key, Position> {
        let position = |key: &usize| Some((full(*key), self.cursors[*key]?));
        keys.iter().filter_map(position).collect()
    }

    /// The end of a transaction, whatever its outcome.
    pub(super) fn unlock(&mut self, by: usize) {
        self.parked_locks.retain(|_, holder| *holder != by);
        for lock in &mut self.cursor_locks {
            if *lock == Some(by) {
                *lock = None;
            }
        }
    }

    /// The end of all transactions.
    pub(super) fn unlock_all(&mut self) {
        self.parked_locks.clear();
        self.cursor_locks = Default::default();
    }

    /// `cursors::save`: false if a key that had no cursor has one now.
    pub(super) fn save(
        &mut self,
        before: &HashMap<Key, Position>,
        after: &HashMap<Key, Position>,
        bug: Option<Bug>,
    ) -> bool {
        let is_new = |key: &Key| !before.contains_key(key);
        let taken_over = |key: &Key| is_new(key) && self.cursors[number(&key.1)].is_some();
        if bug != Some(Bug::TakeoverUnnoticed) && after.keys().any(taken_over) {
            return false;
        }
        for (key, position) in after {
            if before.get(key) != Some(position) {
                self.cursors[number(&key.1)] = Some(*position);
            }
        }
        true
    }
}
