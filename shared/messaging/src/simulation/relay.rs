//! Two relays of one service. What they read, publish and delete is decided by the real functions. A relay
//! that is paused for longer than its lease and then continues is a zombie.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    rc::Rc,
    time::Duration,
};

use envelope::Envelope;
use uuid::Uuid;

use super::{
    broker::{Confirm, StoredMessage},
    bugs::Bug,
    events::{KEYS, PUBLISHER, group_of, number},
    journal::Operation,
    limits::{LEASE_TTL, QUIET_TIME},
    publisher::{Log, LoggedMessage},
    world::World,
    writer::list,
};
use crate::{
    message_position::{MessagePosition, Purpose},
    publish::{
        packing::{Confirms, Message, Settlement, envelope, pack_up_to, settle},
        partition::Partition,
        positions::{RoundPositions, settle_positions},
        publisher::OutgoingMessage,
        suspensions::Suspensions,
        table::OutboxRow,
    },
};

/// The delay of a row after a failed message, in milliseconds; only with a bug.
const RETRY_DELAY: u64 = 500;

#[derive(Debug)]
pub(super) struct Relay {
    pub(super) id: usize,
    /// The holder of the lease: this process.
    holder: Uuid,
    /// The time of the renewal, and the epoch.
    pub(super) renewed: Option<(u64, i64)>,
    suspensions: Suspensions,
    /// Delayed rows; only with a bug.
    blocked_rows: HashMap<i64, u64>,
    pub(super) given_out: Option<GivenOut>,
    /// The leadership whose positions were read when it began.
    pub(super) begun: Option<i64>,
    round: Option<Round>,
    /// The probe of suspended partitions, on a connection of its own.
    probe: Option<Round>,
}

/// The positions of one leadership: `Positions`.
#[derive(Debug)]
pub(super) struct GivenOut {
    epoch: i64,
    pub(super) history: i64,
    pub(super) slots: BTreeMap<i16, Last>,
}

/// The last position of a slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Last {
    pub(super) number: i64,
    pub(super) at: u64,
    pub(super) is_reminded: bool,
}

#[derive(Debug)]
struct Round {
    epoch: i64,
    messages: Vec<Message>,
    outgoing: Vec<OutgoingMessage>,
    events: Vec<Rc<Vec<Envelope>>>,
    next: usize,
    confirms: Confirms,
    /// The messages that the broker has confirmed, by their place.
    acknowledged: HashSet<usize>,
    /// The partitions of a probe.
    probed: Vec<Partition>,
}

impl Relay {
    pub(super) fn new(id: usize) -> Self {
        Self::of_holder(id, Uuid::from_u128(u128::try_from(id).unwrap()))
    }

    fn of_holder(id: usize, holder: Uuid) -> Self {
        Self {
            id,
            holder,
            renewed: None,
            suspensions: Suspensions::default(),
            blocked_rows: HashMap::new(),
            given_out: None,
            begun: None,
            round: None,
            probe: None,
        }
    }

    /// Runs the next step. Returns whether there was one.
    pub(super) fn step(&mut self, world: &mut World) -> bool {
        if world.fault(3) {
            let id = self.id;
            world.note(|| format!("relay {id} dies and restarts"));
            self.restart(world);
            return true;
        }
        let first = world.random.below(4);
        (first..first + 4).any(|task| match task % 4 {
            0 => match self.round.take() {
                None => self.begin(world),
                Some(round) => self.continue_round(world, round),
            },
            1 => match self.probe.take() {
                None => self.begin_probe(world),
                Some(probe) => self.continue_probe(world, probe),
            },
            2 => self.answer(world),
            _ => self.remind(world),
        })
    }

    /// A new process is a new holder; the ids of the two relays never overlap.
    pub(super) fn restart(&mut self, world: &mut World) {
        world.publisher.unlock_outbox(self.id);
        *self = Self::of_holder(self.id, Uuid::from_u128(self.holder.as_u128() + 2));
    }

    /// The earliest time at which a delay ends.
    pub(super) fn wakes(&self, world: &World) -> Option<u64> {
        let probes = self.suspensions.suspended();
        let probes = probes.filter(|(partition, _)| !world.is_frozen(partition.slot));
        let probes = probes.map(|(_, at)| world.milliseconds(at));
        let reminders = self.given_out.iter().flat_map(|given_out| given_out.slots.values());
        let reminders = reminders.filter(|last| self.renewed.is_some() && !last.is_reminded);
        let reminders = reminders.map(|last| last.at + QUIET_TIME + 1);
        probes.chain(reminders).chain(self.blocked_rows.values().copied()).min()
    }

    /// Acquires the lease, or uses it if it was renewed recently.
    fn acquire(&mut self, world: &mut World) -> Option<i64> {
        let now = world.clock;
        if let Some((at, epoch)) = self.renewed
            && now - at < LEASE_TTL / 3
        {
            return Some(epoch);
        }
        self.renew(world)
    }

    /// Acquires or renews the lease.
    pub(super) fn renew(&mut self, world: &mut World) -> Option<i64> {
        let (now, id) = (world.clock, self.id);
        let epoch = world.publisher.acquire_lease(self.holder, now);
        self.renewed = epoch.map(|epoch| (now, epoch));
        let holder = self.holder;
        world.record(|_| Operation::Lease { holder, epoch });
        if let Some(epoch) = epoch {
            world.note(|| format!("relay {id} leads, epoch {epoch}"));
            if self.begun != Some(epoch) && !world.has(Bug::NotRemindedAfterTakeover) {
                self.begun = Some(epoch);
                self.load_positions(world, epoch);
            }
        }
        epoch
    }

    /// The suspended partitions.
    fn suspended(&self) -> BTreeSet<i16> {
        self.suspensions.suspended().map(|(partition, _)| partition.slot).collect()
    }

    /// Acquires the lease if necessary, and reads rows.
    fn begin(&mut self, world: &mut World) -> bool {
        let now = world.clock;
        self.blocked_rows.retain(|_, until| *until > now);
        let (horizon, suspended) = (world.publisher.horizon, self.suspended());
        let locked = world.publisher.outbox_locks.clone();
        let is_read = |row: &&OutboxRow| {
            !suspended.contains(&row.slot)
                && !self.blocked_rows.contains_key(&row.id)
                && row.id > horizon
                && !locked.contains_key(&row.id)
        };
        let most = 1 + world.random.below(12);
        let rows: Vec<OutboxRow> =
            world.publisher.outbox.iter().filter(is_read).take(most).cloned().collect();
        if rows.is_empty() {
            return false;
        }
        let epoch = if world.has(Bug::RelaysSkipLocked) {
            0
        } else {
            let is_renewed = self.renewed.is_some_and(|(at, _)| now - at < LEASE_TTL / 3);
            let Some(epoch) = self.acquire(world) else { return false };
            if !is_renewed {
                return true;
            }
            epoch
        };
        let id = self.id;
        world.note(|| format!("relay {id} reads {}", list(&rows)));
        let ids = rows.iter().map(|row| row.id).collect();
        world.record(|_| Operation::Read { suspended, most, ids });
        let read: HashSet<i64> = rows.iter().map(|row| row.id).collect();
        self.check_order(world, &read);
        if world.has(Bug::DeleteBeforeConfirm) {
            let ids: Vec<i64> = read.into_iter().collect();
            world.publisher.move_to_log(&ids, Log::default(), self.holder, Some(epoch));
        }
        if world.has(Bug::RelaysSkipLocked) {
            world.publisher.outbox_locks.extend(rows.iter().map(|row| (row.id, id)));
        }
        self.round = Some(self.encode(world, rows, epoch, Vec::new()));
        true
    }

    /// Publishes the oldest event of each suspended partition that is due.
    fn begin_probe(&mut self, world: &mut World) -> bool {
        let now = world.instant();
        let due = self.suspensions.suspended().filter(|(partition, at)| {
            *at <= now && !world.is_frozen(partition.slot) && !world.has(Bug::NeverProbed)
        });
        let due: Vec<Partition> = due.map(|(partition, _)| partition.clone()).collect();
        if due.is_empty() {
            return false;
        }
        let Some(epoch) = self.renew(world) else {
            self.suspensions = Suspensions::default();
            return true;
        };
        let oldest = |partition: &Partition| {
            world.publisher.outbox.iter().find(|row| row.slot == partition.slot).cloned()
        };
        let rows: Vec<OutboxRow> = due.iter().filter_map(oldest).collect();
        let id = self.id;
        world.note(|| format!("relay {id} probes {}", list(&rows)));
        let slots = due.iter().map(|partition| partition.slot).collect();
        let ids = rows.iter().map(|row| row.id).collect();
        world.record(|_| Operation::ReadOldest { slots, ids });
        world.coverage.probes += 1;
        self.probe = Some(self.encode(world, rows, epoch, due));
        true
    }

    /// `Leadership::encode`: packs the rows, and gives out positions.
    fn encode(
        &mut self,
        world: &World,
        rows: Vec<OutboxRow>,
        epoch: i64,
        probed: Vec<Partition>,
    ) -> Round {
        let messages = pack_up_to(rows, world.message_events, usize::MAX);
        let given_out = self.load_positions(world, epoch);
        let mut used: HashMap<i16, i64> = HashMap::new();
        let (mut outgoing, mut events) = (Vec::new(), Vec::new());
        for message in &messages {
            let slot = message.partition.slot;
            let last = given_out.slots.get(&slot).map_or(0, |last| last.number);
            let number = used.entry(slot).or_insert(last);
            *number += 1;
            let position = MessagePosition { history: given_out.history, slot, number: *number };
            outgoing.push(OutgoingMessage {
                id: message.id,
                exchange: String::new(),
                routing_key: String::new(),
                content_type: "",
                body: Vec::new(),
                position: Some((position, Purpose::New)),
                signature: None,
            });
            let envelopes = message.rows.iter().map(|row| envelope(row, PUBLISHER).unwrap());
            events.push(Rc::new(envelopes.collect()));
        }
        let (confirms, acknowledged) = (Confirms::default(), HashSet::new());
        Round { epoch, messages, outgoing, events, next: 0, confirms, acknowledged, probed }
    }

    /// `positions::current`.
    fn load_positions(&mut self, world: &World, epoch: i64) -> &GivenOut {
        let given_out = self.given_out.take();
        let is_used =
            |given_out: &GivenOut| given_out.epoch == epoch || world.has(Bug::PositionsNotReloaded);
        let given_out = given_out.filter(is_used).unwrap_or_else(|| GivenOut::load(world, epoch));
        self.given_out.insert(given_out)
    }

    /// `Positions::reload`.
    pub(super) fn reload_positions(&mut self, world: &World) {
        if let Some(GivenOut { epoch, .. }) = self.given_out.take()
            && !world.has(Bug::NotRemindedAfterTakeover)
        {
            self.given_out = Some(GivenOut::load(world, epoch));
        }
    }

    /// The rows read of a key must be the first ones of the outbox: no event is published before its
    /// predecessor.
    fn check_order(&self, world: &mut World, read: &HashSet<i64>) {
        let mut left_out: [Option<i64>; KEYS] = [None; KEYS];
        let mut wrong = None;
        for row in &world.publisher.outbox {
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

    fn continue_round(&mut self, world: &mut World, mut round: Round) -> bool {
        if round.next < round.messages.len() {
            let renews = world.random.chance(10);
            if renews && self.extend(world) || self.publish(world, &mut round) {
                self.round = Some(round);
            } else {
                // The round is lost with the connection; the next one reconnects.
                self.renewed = None;
                world.publisher.unlock_outbox(self.id);
            }
            return true;
        }
        if world.has(Bug::SuspendedStopsOthers) && !round.confirms.unanswered.is_empty() {
            // As before partitions were suspended: the whole round is repeated.
            return true;
        }
        let settlement = self.settle(world, &mut round);
        self.suspend(world, &round, settlement);
        true
    }

    fn continue_probe(&mut self, world: &mut World, mut probe: Round) -> bool {
        if probe.next < probe.messages.len() {
            if self.publish(world, &mut probe) {
                self.probe = Some(probe);
            } else {
                for partition in probe.probed {
                    self.suspensions.suspend(partition, world.instant());
                }
            }
            return true;
        }
        let settlement = self.settle(world, &mut probe);
        for partition in &probe.probed {
            if !settlement.suspended.contains(partition) {
                self.suspensions.release(partition, world.instant());
            }
        }
        self.suspend(world, &probe, settlement);
        true
    }

    /// Renews the lease during a round. Returns whether it is held.
    fn extend(&self, world: &mut World) -> bool {
        let holder = self.holder;
        let epoch = world.publisher.acquire_lease(holder, world.clock);
        world.record(|_| Operation::Lease { holder, epoch });
        epoch.is_some()
    }

    /// Publishes the next message of a round. Returns false if the connection is lost.
    fn publish(&self, world: &mut World, round: &mut Round) -> bool {
        let (id, place) = (self.id, round.next);
        let message = &round.messages[place];
        if world.publisher.lease.is_some_and(|lease| lease.holder != self.holder) {
            world.coverage.zombie_published += 1;
        }
        let (position, purpose) = round.outgoing[place].position.unwrap();
        let events = round.events[place].clone();
        let stored = StoredMessage::new(events, position, purpose, None);
        let confirm = world.publish(&stored, group_of(message.partition.slot));
        let rows = list(&message.rows);
        world.note(|| {
            let MessagePosition { slot, number, .. } = position;
            format!("relay {id} publishes {rows} as message {number} of slot {slot}: {confirm:?}")
        });
        match confirm {
            Confirm::Acknowledged => {
                round.acknowledged.insert(place);
            }
            Confirm::Nacked => {
                round.confirms.nacked.insert(message.id);
            }
            Confirm::Returned => {
                let shift = usize::from(world.has(Bug::ReturnOfAnother));
                let returned = &round.messages[(place + shift) % round.messages.len()];
                round.confirms.returned.insert(returned.id);
            }
            Confirm::Unanswered => {
                world.coverage.unanswered += 1;
                round.confirms.unanswered.insert(message.id);
            }
            Confirm::Lost => return false,
        }
        round.next += 1;
        true
    }

    /// All messages are answered: moves the rows of the confirmed ones to the log.
    fn settle(&mut self, world: &mut World, round: &mut Round) -> Settlement {
        let id = self.id;
        match world.bug {
            Some(Bug::NackedIsConfirmed) => round.confirms.nacked.clear(),
            Some(Bug::ReturnedIsConfirmed) => round.confirms.returned.clear(),
            Some(Bug::UnansweredIsConfirmed) => round.confirms.unanswered.clear(),
            _ => {}
        }
        let mut settlement = settle(&round.messages, &round.confirms);
        if let Some(place) = settlement.stored.iter().find(|one| !round.acknowledged.contains(one))
        {
            let rows = list(&round.messages[*place].rows);
            world.violated(|| format!("relay {id} deletes {rows}, which is not confirmed"));
        }
        let positions = settle_positions(&round.messages, &round.outgoing, &settlement);
        let log = log(world, round, &settlement, positions);
        let highest = settlement.confirmed.iter().max().copied();
        if world.has(Bug::DeleteUpToHighest) {
            settlement.confirmed = (0..=highest.unwrap_or(0)).collect();
        }
        let is_guarded = !world.has(Bug::DeleteWithoutEpoch) && !world.has(Bug::RelaysSkipLocked);
        let epoch = is_guarded.then_some(round.epoch);
        let (last, messages) = (log.last.clone(), log.messages.clone());
        let holder = self.holder;
        let is_held = world.publisher.move_to_log(&settlement.confirmed, log, holder, epoch);
        world.record(|_| Operation::MoveToLog {
            holder,
            epoch: round.epoch,
            ids: settlement.confirmed.clone(),
            messages,
            last: last.clone(),
            is_held,
        });
        world.publisher.unlock_outbox(id);
        if is_held {
            let given_out = self.given_out.as_mut();
            if let Some(given_out) = given_out.filter(|given_out| given_out.epoch == round.epoch) {
                let at = world.clock;
                let last = last
                    .into_iter()
                    .map(|(slot, number)| (slot, Last { number, at, is_reminded: false }));
                given_out.slots.extend(last);
            }
            if world.has(Bug::ReadPastHighest) {
                world.publisher.horizon = world.publisher.horizon.max(highest.unwrap_or(0));
            }
        } else {
            world.coverage.zombie_refused += 1;
            self.renewed = None;
        }
        let what = if is_held { "deletes" } else { "may not delete" };
        let ids = settlement.confirmed.len();
        world.note(|| format!("relay {id} {what} {ids} rows"));
        settlement
    }

    /// Suspends the partitions of failed messages.
    fn suspend(&mut self, world: &World, round: &Round, settlement: Settlement) {
        if world.has(Bug::FollowersOvertakeNacked) {
            let rows = round.messages.iter().flat_map(|message| &message.rows).map(|row| row.id);
            let refused = rows.filter(|row| !settlement.confirmed.contains(row));
            self.blocked_rows.extend(refused.map(|row| (row, world.clock + RETRY_DELAY)));
            return;
        }
        for partition in settlement.suspended {
            self.suspensions.suspend(partition, world.instant());
        }
    }
}

impl GivenOut {
    /// Reads the positions when a leadership begins.
    pub(super) fn load(world: &World, epoch: i64) -> Self {
        let last = |(slot, number): (&i16, &i64)| {
            (*slot, Last { number: *number, at: world.clock, is_reminded: false })
        };
        let slots = world.publisher.slot_positions.iter().map(last).collect();
        Self { epoch, history: world.publisher.history, slots }
    }
}

/// `Leadership::settle`: what a round adds to the log.
fn log(world: &World, round: &Round, settlement: &Settlement, positions: RoundPositions) -> Log {
    let RoundPositions { last, unused } = positions;
    let of_place = |place: &usize| LoggedMessage {
        slot: round.messages[*place].partition.slot,
        position: round.outgoing[*place].number(),
        events: round.events[*place].clone(),
    };
    let stored = settlement.stored.iter().map(of_place);
    let unused =
        unused.iter().map(|place| LoggedMessage { events: Rc::default(), ..of_place(place) });
    let unused = unused.filter(|_| !world.has(Bug::UnusedNotLogged));
    let messages = stored.chain(unused).filter(|_| !world.has(Bug::DeleteWithoutLog)).collect();
    let mut last: Vec<(i16, i64)> =
        last.into_iter().map(|(partition, number)| (partition.slot, number)).collect();
    if world.has(Bug::PositionPastUnconfirmed) {
        // The position of a failed message counts as given out.
        let all = round.messages.iter().zip(&round.outgoing);
        for (slot, number) in all.map(|(one, outgoing)| (one.partition.slot, outgoing.number())) {
            match last.iter_mut().find(|(of, _)| *of == slot) {
                Some((_, last)) => *last = number.max(*last),
                None => last.push((slot, number)),
            }
        }
    }
    Log { messages, last }
}

/// Times on the clock of the schedule.
impl World {
    /// The time for decisions that use a monotonic clock.
    pub(super) fn instant(&self) -> tokio::time::Instant {
        self.began + Duration::from_millis(self.clock)
    }

    /// The time of an instant, rounded up.
    pub(super) fn milliseconds(&self, at: tokio::time::Instant) -> u64 {
        let since = at.duration_since(self.began) + Duration::from_micros(999);
        u64::try_from(since.as_millis()).unwrap()
    }
}
