//! Two relays of one service. What they read, publish and delete is decided by the real functions. A relay
//! that is paused for longer than its lease and then continues is a zombie.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{
    broker::Confirm, bugs::Bug, events::number, limits::LEASE_TTL, world::World, writer::list,
};
use crate::publish::{
    packing::{Confirms, Message, envelope, pack_up_to, settle},
    partition::Partition,
};

/// The delay of a partition after a failed message, in milliseconds.
const RETRY_DELAY: u64 = 500;

#[derive(Debug)]
pub(super) struct Relay {
    id: usize,
    /// The holder of the lease: this process.
    holder: Uuid,
    /// The time of the renewal, and the epoch.
    renewed: Option<(u64, i64)>,
    /// Suspended partitions, and the time of the next attempt.
    suspended: HashMap<Partition, u64>,
    /// Delayed rows; only with a bug.
    blocked_rows: HashMap<i64, u64>,
    round: Option<Round>,
}

#[derive(Debug)]
struct Round {
    epoch: i64,
    messages: Vec<Message>,
    next: usize,
    confirms: Confirms,
}

impl Relay {
    pub(super) fn new(id: usize) -> Self {
        let holder = Uuid::from_u128(u128::try_from(id).unwrap());
        let (suspended, blocked_rows) = (HashMap::new(), HashMap::new());
        Self { id, holder, renewed: None, suspended, blocked_rows, round: None }
    }

    /// Runs the next step. Returns whether there was one.
    pub(super) fn step(&mut self, world: &mut World) -> bool {
        let id = self.id;
        if world.fault(3) {
            world.note(|| format!("relay {id} dies and restarts"));
            // A new process is a new holder; the ids of the two relays never overlap.
            let holder = Uuid::from_u128(self.holder.as_u128() + 2);
            world.database.unlock_outbox(id);
            *self = Self { holder, ..Self::new(id) };
            return true;
        }
        match self.round.take() {
            None => self.begin(world),
            Some(round) if round.next < round.messages.len() => self.publish(world, round),
            Some(round) => self.end(world, round),
        }
    }

    /// The earliest time at which a delay ends.
    pub(super) fn wakes(&self) -> Option<u64> {
        self.suspended.values().chain(self.blocked_rows.values()).min().copied()
    }

    /// Acquires the lease if necessary, and reads rows.
    fn begin(&mut self, world: &mut World) -> bool {
        let now = world.clock;
        self.suspended.retain(|_, until| *until > now);
        self.blocked_rows.retain(|_, until| *until > now);
        let horizon = world.database.horizon;
        let locked = world.database.outbox_locks.clone();
        let is_read = |row: &&crate::publish::table::OutboxRow| {
            !self.suspended.contains_key(&row.partition())
                && !self.blocked_rows.contains_key(&row.id)
                && row.id > horizon
                && !locked.contains_key(&row.id)
        };
        let most = 1 + world.random.below(12);
        if !world.database.outbox.iter().any(|row| is_read(&row)) {
            return false;
        }
        let epoch = match self.renewed {
            _ if world.has(Bug::RelaysSkipLocked) => 0,
            Some((at, epoch)) if now - at < LEASE_TTL / 3 => epoch,
            _ => {
                let Some(epoch) = world.database.acquire_lease(self.holder, now) else {
                    self.renewed = None;
                    return false;
                };
                self.renewed = Some((now, epoch));
                let id = self.id;
                world.note(|| format!("relay {id} acquires the lease, epoch {epoch}"));
                return true;
            }
        };
        let rows: Vec<_> =
            world.database.outbox.iter().filter(is_read).take(most).cloned().collect();
        let id = self.id;
        world.note(|| format!("relay {id} reads {}", list(&rows)));
        let read: HashSet<i64> = rows.iter().map(|row| row.id).collect();
        self.check_order(world, &read);
        if world.has(Bug::DeleteBeforeConfirm) {
            let ids: Vec<i64> = read.into_iter().collect();
            world.database.delete(&ids, self.holder, Some(epoch));
        }
        if world.has(Bug::RelaysSkipLocked) {
            world.database.outbox_locks.extend(rows.iter().map(|row| (row.id, id)));
        }
        let messages = pack_up_to(rows, world.random.pick([1, 1, 2, 4]), usize::MAX);
        self.round = Some(Round { epoch, messages, next: 0, confirms: Confirms::default() });
        true
    }

    /// The rows read of a key must be the first ones of the outbox: no event is published before its
    /// predecessor.
    fn check_order(&self, world: &mut World, read: &HashSet<i64>) {
        let mut left_out: [Option<i64>; super::events::KEYS] = [None; super::events::KEYS];
        let mut wrong = None;
        for row in &world.database.outbox {
            let key = number(&row.key);
            if !read.contains(&row.id) {
                left_out[key] = Some(row.seq);
            } else if let Some(before) = left_out[key] {
                wrong = Some((key, row.seq, before));
            }
        }
        if let Some((key, after, before)) = wrong {
            let id = self.id;
            world.violated(|| format!("relay {id} reads {key}/{after} before {key}/{before}"));
        }
    }

    /// Publishes the next message of the round, or renews the lease.
    fn publish(&mut self, world: &mut World, mut round: Round) -> bool {
        let (id, now) = (self.id, world.clock);
        if world.random.chance(10) && world.database.acquire_lease(self.holder, now).is_some() {
            self.round = Some(round);
            return true;
        }
        let message = &round.messages[round.next];
        let rows = list(&message.rows);
        let events = message.rows.iter().map(|row| envelope(row, "orders").unwrap()).collect();
        if world.database.lease.is_some_and(|lease| lease.holder != self.holder) {
            world.coverage.zombie_published += 1;
        }
        let queue = number(&message.rows[0].key) % 2;
        let response = world.response();
        let confirm = world.broker.publish(events, queue, response);
        world.note(|| format!("relay {id} publishes {rows}: {confirm:?}"));
        match confirm {
            Confirm::Acknowledged => {}
            Confirm::Nacked => {
                round.confirms.nacked.insert(message.id);
            }
            Confirm::Returned => {
                let shift = usize::from(world.has(Bug::ReturnOfAnother));
                let returned = &round.messages[(round.next + shift) % round.messages.len()];
                round.confirms.returned.insert(returned.id);
            }
            Confirm::Unanswered => {
                world.coverage.unanswered += 1;
                round.confirms.unanswered.insert(message.id);
            }
            Confirm::Lost => {
                // The round is lost with the connection; the next one reconnects.
                self.renewed = None;
                world.database.unlock_outbox(id);
                return true;
            }
        }
        round.next += 1;
        self.round = Some(round);
        true
    }

    /// All messages are confirmed: deletes their rows.
    fn end(&mut self, world: &mut World, mut round: Round) -> bool {
        let (id, now) = (self.id, world.clock);
        match world.bug {
            Some(Bug::NackedIsConfirmed) => round.confirms.nacked.clear(),
            Some(Bug::ReturnedIsConfirmed) => round.confirms.returned.clear(),
            Some(Bug::UnansweredIsConfirmed) => round.confirms.unanswered.clear(),
            _ => {}
        }
        let mut settlement = settle(&round.messages, &round.confirms);
        if world.has(Bug::FollowersOvertakeNacked) {
            let rows = round.messages.iter().flat_map(|message| &message.rows).map(|row| row.id);
            let refused = rows.filter(|row| !settlement.confirmed.contains(row));
            self.blocked_rows.extend(refused.map(|row| (row, now + RETRY_DELAY)));
        } else {
            let suspended = settlement.suspended.into_iter();
            self.suspended.extend(suspended.map(|partition| (partition, now + RETRY_DELAY)));
        }
        let highest = settlement.confirmed.iter().max().copied();
        if world.has(Bug::DeleteUpToHighest) {
            settlement.confirmed = (0..=highest.unwrap_or(0)).collect();
        }
        let is_guarded = !world.has(Bug::DeleteWithoutEpoch) && !world.has(Bug::RelaysSkipLocked);
        let epoch = is_guarded.then_some(round.epoch);
        let is_held = world.database.delete(&settlement.confirmed, self.holder, epoch);
        world.database.unlock_outbox(id);
        if is_held && world.has(Bug::ReadPastHighest) {
            world.database.horizon = world.database.horizon.max(highest.unwrap_or(0));
        }
        if !is_held {
            world.coverage.zombie_refused += 1;
            self.renewed = None;
        }
        let what = if is_held { "deletes" } else { "may not delete" };
        let ids = settlement.confirmed.len();
        world.note(|| format!("relay {id} {what} {ids} rows"));
        true
    }
}
