//! Two relays of one service. What they read, publish and delete is the kit's; a relay that the schedule leaves alone for longer
//! than its lease lasts, and then lets go on, is a zombie.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{
    broker::{Broker, Confirm},
    bugs::Bug,
    world::{World, number},
    writer::list,
};
use crate::relay::core::{Answers, Message, envelope, pack_up_to, settle};

/// How long a lease lasts, in milliseconds, as `lease::TERM`.
pub(super) const TERM: u64 = 3_000;

/// How long a key rests after one of its messages was refused.
const REFUSED: u64 = 500;

/// A relay.
#[derive(Debug)]
pub(super) struct Relay {
    id: usize,
    /// Who this process is to the lease.
    holder: Uuid,
    /// When the lease was taken, and its epoch.
    renewed: Option<(u64, i64)>,
    /// Keys that rest, and until when.
    stopped: HashMap<(String, String), u64>,
    /// Rows that rest: only with a bug.
    stopped_rows: HashMap<i64, u64>,
    round: Option<Round>,
}

/// What was read and is being published.
#[derive(Debug)]
struct Round {
    epoch: i64,
    messages: Vec<Message>,
    next: usize,
    answers: Answers,
}

impl Relay {
    pub(super) fn new(id: usize) -> Self {
        let holder = Uuid::from_u128(u128::try_from(id).unwrap());
        let (stopped, stopped_rows) = (HashMap::new(), HashMap::new());
        Self { id, holder, renewed: None, stopped, stopped_rows, round: None }
    }

    /// Does the next thing. Whether anything was done.
    pub(super) fn step(&mut self, world: &mut World) -> bool {
        let id = self.id;
        if world.fault(3) {
            world.note(|| format!("relay {id} dies and comes again"));
            // A new process is a new holder; the ids of the two relays stay apart.
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

    /// The earliest time at which something may become possible that is not possible now.
    pub(super) fn wakes(&self) -> Option<u64> {
        self.stopped.values().chain(self.stopped_rows.values()).min().copied()
    }

    /// Sees to the lease, and reads.
    fn begin(&mut self, world: &mut World) -> bool {
        let now = world.clock;
        self.stopped.retain(|_, until| *until > now);
        self.stopped_rows.retain(|_, until| *until > now);
        let horizon = world.database.horizon;
        let locked = world.database.outbox_locks.clone();
        let is_read = |row: &&crate::outbox::Row| {
            !self.stopped.contains_key(&(row.aggregate.clone(), row.key.clone()))
                && !self.stopped_rows.contains_key(&row.id)
                && row.id > horizon
                && !locked.contains_key(&row.id)
        };
        let most = 1 + world.random.below(12);
        if !world.database.outbox.iter().any(|row| is_read(&row)) {
            return false;
        }
        let epoch = match self.renewed {
            _ if world.has(Bug::RelaysSkipLocked) => 0,
            Some((at, epoch)) if now - at < TERM / 3 => epoch,
            _ => {
                let Some(epoch) = world.database.take_lease(self.holder, now) else {
                    self.renewed = None;
                    return false;
                };
                self.renewed = Some((now, epoch));
                let id = self.id;
                world.note(|| format!("relay {id} has the lease, epoch {epoch}"));
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
        self.round = Some(Round { epoch, messages, next: 0, answers: Answers::default() });
        true
    }

    /// What is read of a key is the beginning of what the outbox has of it: nothing is published before what it follows.
    fn check_order(&self, world: &mut World, read: &HashSet<i64>) {
        let mut left_out: [Option<i64>; super::world::KEYS] = [None; super::world::KEYS];
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

    /// Publishes the next message of the round, or renews the lease meanwhile.
    fn publish(&mut self, world: &mut World, mut round: Round) -> bool {
        let (id, now) = (self.id, world.clock);
        if world.random.chance(10) && world.database.take_lease(self.holder, now).is_some() {
            self.round = Some(round);
            return true;
        }
        let message = &round.messages[round.next];
        let rows = list(&message.rows);
        let events = message.rows.iter().map(|row| envelope(row, "orders").unwrap()).collect();
        if world.database.lease.is_some_and(|lease| lease.holder != self.holder) {
            world.seen.zombie_published += 1;
        }
        let queue = number(&message.rows[0].key) % 2;
        let confirm = Broker::publish(world, events, queue);
        world.note(|| format!("relay {id} publishes {rows}: {confirm:?}"));
        match confirm {
            Confirm::Acknowledged => {}
            Confirm::Refused => {
                round.answers.nacked.insert(message.id);
            }
            Confirm::Returned => {
                let shift = usize::from(world.has(Bug::ReturnOfAnother));
                let returned = &round.messages[(round.next + shift) % round.messages.len()];
                round.answers.returned.insert(returned.id);
            }
            Confirm::Lost => {
                // The round is lost with the connection; the next one connects anew.
                self.renewed = None;
                world.database.unlock_outbox(id);
                return true;
            }
        }
        round.next += 1;
        self.round = Some(round);
        true
    }

    /// All is answered: deletes what was confirmed.
    fn end(&mut self, world: &mut World, mut round: Round) -> bool {
        let (id, now) = (self.id, world.clock);
        match world.bug {
            Some(Bug::RefusedIsConfirmed) => round.answers.nacked.clear(),
            Some(Bug::ReturnedIsConfirmed) => round.answers.returned.clear(),
            _ => {}
        }
        let mut settlement = settle(&round.messages, &round.answers);
        if world.has(Bug::FollowersOvertakeRefused) {
            let rows = round.messages.iter().flat_map(|message| &message.rows).map(|row| row.id);
            let refused = rows.filter(|row| !settlement.confirmed.contains(row));
            self.stopped_rows.extend(refused.map(|row| (row, now + REFUSED)));
        } else {
            self.stopped.extend(settlement.stopped.into_iter().map(|key| (key, now + REFUSED)));
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
            world.seen.zombie_refused += 1;
            self.renewed = None;
        }
        let what = if is_held { "deletes" } else { "may not delete" };
        let ids = settlement.confirmed.len();
        world.note(|| format!("relay {id} {what} {ids} rows"));
        true
    }
}
