//! The positions of the messages that arrive in a queue: `ReceivedMessages` around the real `ReceivedPositions`.

use std::collections::BTreeMap;

use super::{
    broker::StoredMessage, bugs::Bug, database::Database, events::slots_of, journal::Operation,
    world::World,
};
use crate::{
    consume::received_positions::{Finding, ReceivedPositions, StoredPositions},
    message_position::{Absence, PositionRange, Purpose},
};

/// How often positions are stored, in milliseconds.
const STORE_INTERVAL: u64 = 1_000;

/// What a consumer knows of the positions of its queue.
#[derive(Debug)]
pub(super) struct ReceivedMessages {
    /// The connection on which they arrive.
    pub(super) connection: u32,
    positions: ReceivedPositions,
    findings: Vec<Finding>,
    stored_at: u64,
    /// Whether it has asked for anything.
    has_asked: bool,
}

impl ReceivedMessages {
    /// `ReceivedMessages::load`.
    pub(super) fn load(world: &World, group: usize, connection: u32) -> Self {
        let slots = slots_of(group);
        let stored = world.database.received.values();
        let stored = stored.filter(|row| slots.contains(&row.slot)).cloned().collect();
        let positions = ReceivedPositions::load(stored, BTreeMap::new(), world.instant());
        let stored_at = world.clock;
        Self { connection, positions, findings: Vec::new(), stored_at, has_asked: false }
    }

    /// A message is delivered.
    pub(super) fn arrive(&mut self, world: &mut World, message: &StoredMessage) {
        if let Purpose::Absent { until, why: Absence::Expired } = message.purpose {
            let range = (message.position.slot, message.position.number, until);
            world.own().expired.push(range);
        }
        let found = self.positions.arrive(&message.arrived(), world.instant());
        if !world.has(Bug::LossNotReported) {
            self.findings.extend(found);
        }
        if world.has(Bug::OpenIsReceived) {
            self.positions.finish(&message.arrived());
        }
    }

    /// A message is acknowledged.
    pub(super) fn finish(&mut self, message: &StoredMessage) {
        self.positions.finish(&message.arrived());
    }

    /// `ReceivedMessages::keep`. Returns whether there was something to do.
    pub(super) fn keep(&mut self, world: &mut World) -> bool {
        let is_asking = self.positions.is_due(world.instant());
        let is_late = world.clock >= self.stored_at + STORE_INTERVAL;
        let is_stored = self.positions.is_changed() && is_late;
        if is_asking || is_stored {
            self.store_with(world, is_asking);
        }
        let is_asked = !self.has_asked || !world.has(Bug::AskedOnce);
        let requests = self.positions.take_requests(world.instant());
        let any = is_stored || is_asking;
        let subscriber = world.acting;
        self.has_asked |= !requests.is_empty();
        for request in requests.into_iter().filter(|_| is_asked) {
            world.coverage.asked += 1;
            world.note(|| format!("subscriber {subscriber} asks for {request:?}"));
            if !world.fault(10) {
                world.broker.requests.push_back((subscriber, request));
            }
        }
        any
    }

    /// `ReceivedMessages::store`.
    pub(super) fn store(&mut self, world: &mut World) {
        self.store_with(world, false);
    }

    /// `ReceivedMessages::store_with`: one transaction.
    fn store_with(&mut self, world: &mut World, missing: bool) {
        self.stored_at = world.clock;
        let rows = self.positions.to_compare(missing);
        let Database { received, .. } = &world.database;
        let rows = rows.iter().filter_map(|(_, slot)| received.get(slot)).cloned().collect();
        self.positions.join(rows, world.instant());
        let changed = self.positions.take_changed();
        if world.fault(3) {
            self.positions.keep_changed(&changed);
            return;
        }
        world.note(|| format!("    positions are stored: {}", list(&changed)));
        for row in &changed {
            world.database.received.insert(row.slot, row.clone());
        }
        world.record(|_| Operation::StorePositions { rows: changed.clone() });
        self.positions.stored(changed);
        for finding in self.findings.drain(..) {
            world.record_finding(finding);
        }
    }

    /// When there is something to do, if nothing arrives before.
    pub(super) fn wakes(&self, world: &World) -> Option<u64> {
        let store = self.positions.is_changed().then(|| self.stored_at + STORE_INTERVAL);
        let request = self.positions.next_request().map(|at| world.milliseconds(at));
        store.into_iter().chain(request).min()
    }
}

impl World {
    /// `dead_queue::record_arrival`: one transaction.
    pub(super) fn record_arrival(&mut self, message: &StoredMessage) {
        let slot = message.position.slot;
        let rows = self.database.received.get(&slot).cloned();
        let rows = rows.into_iter().collect();
        let mut positions = ReceivedPositions::load(rows, BTreeMap::new(), self.instant());
        let arrived = message.arrived();
        if positions.arrive(&arrived, self.instant()).is_none() {
            positions.finish(&arrived);
            let rows = positions.take_changed();
            for row in &rows {
                self.database.received.insert(slot, row.clone());
            }
            self.record(|_| Operation::StorePositions { rows });
        }
    }

    /// `record_unreadable` for a finding. Messages are lost only if they have left the log, and a publisher goes back only in the eyes
    /// of one who believes a forged position.
    fn record_finding(&mut self, finding: Finding) {
        let acting = self.acting;
        self.note(|| format!("    a dead letter of subscriber {acting}: {finding:?}"));
        match &finding {
            Finding::Lost { slot, range: PositionRange { first, .. }, .. } => {
                self.coverage.messages_lost += 1;
                if self.publisher.expired.get(slot).is_none_or(|expired| first > expired) {
                    self.violated(|| format!("{finding:?}, but the message is in the log"));
                }
            }
            Finding::WentBack { .. } => {
                self.coverage.went_back += 1;
                if !self.is_forged {
                    self.violated(|| format!("{finding:?}, but it did not go back"));
                }
            }
        }
        if !self.database.findings.contains(&finding) {
            self.database.findings.push(finding);
        }
    }
}

fn list(positions: &[StoredPositions]) -> String {
    let one = |row: &StoredPositions| {
        format!("slot {} to {} without {:?}", row.slot, row.received, row.missing)
    };
    positions.iter().map(one).collect::<Vec<_>>().join(", ")
}
