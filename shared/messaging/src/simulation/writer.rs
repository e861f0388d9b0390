//! Writers: transactions of the publishing service that emit events.

use uuid::Uuid;

use super::{
    bugs::Bug,
    events::{AGGREGATE, EmittedEvent, HANDLED, NOVEL, UNHANDLED, kind, name, number, slot},
    journal::Operation,
    world::World,
};
use crate::publish::table::OutboxRow;

/// The most events of one schedule.
const MAX_EVENTS: usize = 12;

/// A process that runs one transaction after the other.
#[derive(Debug)]
pub(super) struct Writer {
    id: usize,
    /// The keys of the events of each future transaction.
    to_do: Vec<Vec<usize>>,
    /// The numbered rows of the open transaction, not yet visible to others.
    open: Option<Vec<OutboxRow>>,
}

impl Writer {
    /// Two writers with some transactions each.
    pub(super) fn two(world: &mut World) -> [Self; 2] {
        let mut writers = [0, 1].map(|id| Self { id, to_do: Vec::new(), open: None });
        let mut left = world.random.pick([3, 6, MAX_EVENTS, MAX_EVENTS]);
        while left > 0 {
            let count = (1 + world.random.below(4)).min(left);
            left -= count;
            let keys = (0..count).map(|_| world.random.below(world.keys)).collect();
            writers[world.random.below(2)].to_do.push(keys);
        }
        writers
    }

    /// Numbers the events of the next transaction, or ends the open one. Returns whether there was one.
    pub(super) fn step(&mut self, world: &mut World) -> bool {
        match self.open.take() {
            Some(rows) => self.end(world, rows),
            None => self.append(world),
        }
    }

    /// `table::append`: increments the sequences of all keys under their row locks, and assigns ids
    /// afterwards.
    fn append(&mut self, world: &mut World) -> bool {
        let Some(keys) = self.to_do.pop() else { return false };
        let is_careless = world.has(Bug::NumberWithoutLock);
        let locks = &mut world.publisher.sequence_locks;
        if !is_careless {
            if keys.iter().any(|key| locks[*key].is_some()) {
                self.to_do.push(keys);
                return false;
            }
            for key in &keys {
                locks[*key] = Some(self.id);
            }
        }
        let mut numbers = world.publisher.sequences;
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            numbers[key] += 1;
            let event = world.new_event();
            let kind = match world.random.below(8) {
                0 => UNHANDLED,
                1 => NOVEL,
                other => HANDLED[other % 2],
            };
            world.publisher.last_id += 1;
            rows.push(OutboxRow {
                id: world.publisher.last_id,
                event_id: Uuid::from_u128(u128::try_from(event).unwrap()),
                kind: kind.to_owned(),
                aggregate: AGGREGATE.to_owned(),
                key: name(key),
                slot: slot(key),
                seq: numbers[key],
                time: world.now(),
                traceparent: None,
                bulk: world.random.chance(50),
                data: "0".to_owned(),
            });
        }
        let id = self.id;
        world.note(|| format!("writer {id} numbers {}", list(&rows)));
        world.record(|_| Operation::Append { writer: id, rows: rows.clone() });
        self.open = Some(rows);
        true
    }

    /// Commits, which makes the rows visible, or rolls back and repeats the transaction later.
    fn end(&mut self, world: &mut World, rows: Vec<OutboxRow>) -> bool {
        let keys: Vec<usize> = rows.iter().map(|row| number(&row.key)).collect();
        for key in &keys {
            world.publisher.sequence_locks[*key] = None;
        }
        let id = self.id;
        if world.fault(10) {
            world.note(|| format!("writer {id} rolls back {}", list(&rows)));
            self.to_do.push(keys);
            world.record(|_| Operation::EndWriter { writer: id, commits: false });
            return true;
        }
        world.note(|| format!("writer {id} commits {}", list(&rows)));
        for (row, key) in rows.into_iter().zip(keys) {
            world.publisher.sequences[key] = row.seq;
            let event = usize::try_from(row.event_id.as_u128()).unwrap();
            world.emitted[event] =
                Some(EmittedEvent { key, sequence: row.seq, kind: kind(&row.kind) });
            let outbox = &mut world.publisher.outbox;
            let index = outbox.partition_point(|other| other.id < row.id);
            outbox.insert(index, row);
        }
        world.record(|_| Operation::EndWriter { writer: id, commits: true });
        true
    }
}

/// Rows as text for the trace: key and sequence.
pub(super) fn list(rows: &[OutboxRow]) -> String {
    rows.iter().map(|row| format!("{}/{}", number(&row.key), row.seq)).collect::<Vec<_>>().join(" ")
}
