//! The databases of the speaking and of the listening service, as tables in memory. Every method stands for one statement or
//! one transaction of the kit, which it names; what the kit reads or writes under a row lock is locked here as well.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::{
    bugs::Bug,
    letters::Letter,
    parking::Parked,
    relay::TERM,
    world::{KEYS, World, name, number},
};
use crate::{
    consumer::core::{Key, Position},
    outbox::Row,
    topology::{Guard, OnReject},
};

/// A row of `messaging.lease`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) holder: Uuid,
    epoch: i64,
    pub(super) expires_at: u64,
}

/// That an event took effect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effect {
    pub(super) event: usize,
    pub(super) key: usize,
    pub(super) sequence: i64,
    /// Whether somebody sent it again though the cursor had gone past it: only then it may stand behind its followers.
    is_late: bool,
}

/// All tables.
#[derive(Debug, Default)]
pub(super) struct Database {
    /// `messaging.sequence`, and who holds its rows.
    pub(super) sequences: [i64; KEYS],
    pub(super) sequence_locks: [Option<usize>; KEYS],
    /// `messaging.outbox` in the order of the ids.
    pub(super) outbox: Vec<Row>,
    pub(super) last_id: i64,
    /// How far a relay with a cursor has read: only with a bug.
    pub(super) horizon: i64,
    /// The rows that are locked, and by which relay: only with a bug.
    pub(super) outbox_locks: HashMap<i64, usize>,
    pub(super) lease: Option<Lease>,
    /// `messaging.cursor`, and which lane holds its rows.
    pub(super) cursors: [Option<Position>; KEYS],
    pub(super) cursor_locks: [Option<usize>; KEYS],
    /// `messaging.parked` by key and number.
    pub(super) parked: BTreeMap<(usize, i64), Parked>,
    /// `messaging.dead_letter`.
    pub(super) letters: Vec<Letter>,
    /// What the handler did, in the order of the commits.
    pub(super) effects: Vec<Effect>,
    /// What was given up together with a letter behind it: key, and the numbers that this lies between.
    pub(super) given_up: Vec<(usize, i64, i64)>,
}

impl Database {
    /// `lease::take`.
    pub(super) fn take_lease(&mut self, holder: Uuid, now: u64) -> Option<i64> {
        let epoch = match self.lease {
            None => 1,
            Some(lease) if lease.holder == holder => lease.epoch,
            Some(lease) if lease.expires_at <= now => lease.epoch + 1,
            Some(_) => return None,
        };
        self.lease = Some(Lease { holder, epoch, expires_at: now + TERM });
        Some(epoch)
    }

    /// `outbox::delete`. Without an epoch the lease is not looked at, which is a bug.
    pub(super) fn delete(&mut self, ids: &[i64], holder: Uuid, epoch: Option<i64>) -> bool {
        let is_held = epoch.is_none_or(|epoch| {
            self.lease.is_some_and(|lease| lease.holder == holder && lease.epoch == epoch)
        });
        if is_held {
            self.outbox.retain(|row| !ids.contains(&row.id));
        }
        is_held
    }

    /// The end of a relay's transaction, however it ends.
    pub(super) fn unlock_outbox(&mut self, relay: usize) {
        self.outbox_locks.retain(|_, holder| *holder != relay);
    }

    /// Whether somebody else holds the cursor of a key.
    pub(super) fn is_locked(&self, key: usize, by: usize) -> bool {
        self.cursor_locks[key].is_some_and(|holder| holder != by)
    }

    /// `cursors::lock`, once nobody else holds any of them. What has no row is not locked.
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

    /// The end of a transaction, however it ends.
    pub(super) fn unlock(&mut self, by: usize) {
        for lock in &mut self.cursor_locks {
            if *lock == Some(by) {
                *lock = None;
            }
        }
    }

    /// `cursors::save`: false if a key that was new is not new any more.
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

/// A key as the kit knows it.
pub(super) fn full(key: usize) -> Key {
    ("orders".to_owned(), name(key))
}

impl World {
    /// An effect commits. Within a key the effects stand in the order of their numbers, and none comes before a letter that
    /// blocks it is dealt with. The one exception are letters that block nobody where every number takes effect: sent again, they
    /// take effect late.
    pub(super) fn effect(&mut self, event: usize, key: usize, sequence: i64, is_late: bool) {
        let is_late = is_late && self.guard == Guard::Cursors(OnReject::Continue);
        self.count_stand_in(key, sequence);
        let database = &mut self.database;
        let of_key = |effect: &&Effect| effect.key == key && !effect.is_late;
        let behind = database.effects.iter().rfind(of_key).filter(|last| last.sequence >= sequence);
        let behind = behind.filter(|_| !is_late).map(|last| last.sequence);
        let blocking = database
            .letters
            .iter()
            .find(|letter| letter.key == key && letter.sequence < sequence && letter.is_blocking());
        let blocking = blocking.map(|letter| letter.sequence);
        let is_double = database.effects.iter().any(|effect| effect.event == event);
        database.effects.push(Effect { event, key, sequence, is_late });
        self.seen.effects += 1;
        if is_double {
            self.violated(|| format!("{key}/{sequence} took effect twice"));
        }
        if let Some(behind) = behind {
            self.violated(|| format!("{key}/{sequence} took effect behind {key}/{behind}"));
        }
        if let Some(blocking) = blocking {
            self.violated(|| {
                format!("{key}/{sequence} took effect though {key}/{blocking} blocks it")
            });
        }
    }
}
