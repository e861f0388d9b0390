//! Writers: transactions of the speaking service that say events.

use uuid::Uuid;

use super::{
    bugs::Bug,
    handler::{HANDLED, UNHANDLED, kind},
    world::{Said, World, name, number},
};
use crate::outbox::Row;

/// The most events that one schedule says.
const MOST_EVENTS: usize = 12;

/// A process that writes: transactions, one after the other.
#[derive(Debug)]
pub(super) struct Writer {
    id: usize,
    /// The keys of the events of each transaction to come.
    to_do: Vec<Vec<usize>>,
    /// The numbered rows of the open transaction, not yet visible to others.
    open: Option<Vec<Row>>,
}

impl Writer {
    /// Two writers with some transactions each.
    pub(super) fn two(world: &mut World) -> [Self; 2] {
        let mut writers = [0, 1].map(|id| Self { id, to_do: Vec::new(), open: None });
        let mut left = world.random.pick([3, 6, MOST_EVENTS, MOST_EVENTS]);
        while left > 0 {
            let count = (1 + world.random.below(4)).min(left);
            left -= count;
            let keys = (0..count).map(|_| world.random.below(world.keys)).collect();
            writers[world.random.below(2)].to_do.push(keys);
        }
        writers
    }

    /// Numbers the events of the next transaction, or ends the open one. Whether anything was done.
    pub(super) fn step(&mut self, world: &mut World) -> bool {
        match self.open.take() {
            Some(rows) => self.end(world, rows),
            None => self.append(world),
        }
    }

    /// `outbox::append`: bumps the numbers of all keys under their row locks, and takes ids only then.
    fn append(&mut self, world: &mut World) -> bool {
        let Some(keys) = self.to_do.pop() else { return false };
        let is_careless = world.has(Bug::NumberWithoutLock);
        let locks = &mut world.database.sequence_locks;
        if !is_careless {
            if keys.iter().any(|key| locks[*key].is_some()) {
                self.to_do.push(keys);
                return false;
            }
            for key in &keys {
                locks[*key] = Some(self.id);
            }
        }
        let mut numbers = world.database.sequences;
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            numbers[key] += 1;
            let event = world.new_event();
            let kind = match world.random.below(8) {
                0 => UNHANDLED,
                other => HANDLED[other % 2],
            };
            world.database.last_id += 1;
            rows.push(Row {
                id: world.database.last_id,
                event_id: Uuid::from_u128(u128::try_from(event).unwrap()),
                kind: kind.to_owned(),
                aggregate: "order".to_owned(),
                key: name(key),
                slot: i16::try_from(key % world.slots).unwrap(),
                seq: numbers[key],
                time: world.now(),
                traceparent: None,
                bulk: world.random.chance(50),
                data: "0".to_owned(),
            });
        }
        let id = self.id;
        world.note(|| format!("writer {id} numbers {}", list(&rows)));
        self.open = Some(rows);
        true
    }

    /// Commits, so that others see the rows, or rolls back, and does the same once more later.
    fn end(&mut self, world: &mut World, rows: Vec<Row>) -> bool {
        let keys: Vec<usize> = rows.iter().map(|row| number(&row.key)).collect();
        for key in &keys {
            world.database.sequence_locks[*key] = None;
        }
        let id = self.id;
        if world.fault(10) {
            world.note(|| format!("writer {id} rolls back {}", list(&rows)));
            self.to_do.push(keys);
            return true;
        }
        world.note(|| format!("writer {id} commits {}", list(&rows)));
        for (row, key) in rows.into_iter().zip(keys) {
            world.database.sequences[key] = row.seq;
            let event = usize::try_from(row.event_id.as_u128()).unwrap();
            world.said[event] = Some(Said { key, sequence: row.seq, kind: kind(&row.kind) });
            let outbox = &mut world.database.outbox;
            let place = outbox.partition_point(|other| other.id < row.id);
            outbox.insert(place, row);
        }
        true
    }
}

/// Rows as people read them in a trace: key and number.
pub(super) fn list(rows: &[Row]) -> String {
    rows.iter().map(|row| format!("{}/{}", row.key, row.seq)).collect::<Vec<_>>().join(" ")
}
