//! A lane of a listener: what it does next. What it decides is the kit's.

use std::collections::{BTreeSet, HashMap};

use envelope::Envelope;

use super::{
    broker::DEAD,
    bugs::Bug,
    hand::Hand,
    transaction::{Ended, Open, Opened},
    world::{World, event, number},
};
use crate::consumer::{
    core::{Incoming, Look, Origin, Position, Ruling, look},
    work::Work,
};

/// How often a parked event is started at most. Thirty in the kit.
pub(super) const MOST_STARTS: i32 = 3;

/// What one lane is about.
#[derive(Debug)]
pub(super) struct Lane {
    /// Who it is to the database.
    pub(super) id: usize,
    pub(super) queue: usize,
    /// What it has in hand, if it takes events in an order of its own.
    pub(super) hand: Option<Hand>,
    task: Task,
}

/// Where a lane stands.
#[derive(Debug)]
enum Task {
    /// It waits for messages, and for what is due.
    Idle,
    /// The start of a parked event is committed; the parked events of the key are to be read.
    Reading {
        key: usize,
        /// The number of the event that is started.
        first: i64,
        gives_up: bool,
    },
    /// Events are processed.
    Working(Box<Batch>),
    /// Events of the messages with these tags are committed, and to be acknowledged on this connection.
    Acknowledging(Vec<u64>, u32),
}

/// Events that are processed together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) work: Work,
    pub(super) origin: Origin,
    /// The transaction that is open.
    pub(super) open: Option<Open>,
    /// The same as they came from the broker, each with the tag of its message, and on which connection.
    events: Vec<(u64, Envelope)>,
    connection: u32,
}

impl Batch {
    /// Of what was parked: nothing of it is acknowledged.
    const fn of_parked(work: Work) -> Self {
        Self { work, origin: Origin::Parked, open: None, events: Vec::new(), connection: 0 }
    }
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing was to be done, or another one's lock is in the way.
    None,
    /// Something was done.
    Some,
    /// The process died.
    Died,
}

impl Lane {
    pub(super) const fn new(id: usize, queue: usize) -> Self {
        Self { id, queue, hand: None, task: Task::Idle }
    }

    /// Does the next thing.
    pub(super) fn step(&mut self, world: &mut World, process: usize, connection: u32) -> Progress {
        match std::mem::replace(&mut self.task, Task::Idle) {
            Task::Idle => self.begin(world, process, connection),
            Task::Reading { key, first, gives_up } => {
                let incoming = world.database.of_key(key);
                let given_up = if world.has(Bug::GivenUpByPlace) {
                    (gives_up && !incoming.is_empty()).then_some(0)
                } else {
                    incoming.iter().position(|one| gives_up && one.envelope.sequence == first)
                };
                let ruling = |index| (index, Ruling::Dead("starts_exhausted"));
                let work = Work::new(incoming, given_up.map(ruling).into_iter().collect());
                self.task = Task::Working(Box::new(Batch::of_parked(work)));
                Progress::Some
            }
            Task::Working(batch) => self.work(world, batch),
            Task::Acknowledging(tags, on) => {
                // An acknowledgement on a connection that is gone reaches nobody, and what was in hand comes again.
                if on == connection {
                    self.acknowledge(world, process, &tags);
                } else {
                    self.hand = None;
                }
                Progress::Some
            }
        }
    }

    /// Looks at what is due, or takes what has come.
    fn begin(&mut self, world: &mut World, process: usize, connection: u32) -> Progress {
        let due = if self.queue == DEAD {
            Vec::new()
        } else {
            world.database.due(self.queue, world.clock)
        };
        self.open_hand(world, connection);
        let is_old = self.hand.as_ref().is_some_and(|hand| hand.connection != connection);
        let has_messages = !is_old && world.broker.has_for(self.queue, process);
        let has_events = has_messages || self.hand.as_ref().is_some_and(|hand| !hand.is_empty());
        if !due.is_empty() && (!has_events || world.random.chance(50)) {
            let key = due[world.random.below(due.len())];
            return if world.is_of_state() {
                self.retry(world, key)
            } else {
                self.look(world, key)
            };
        }
        if !has_events {
            return Progress::None;
        }
        let (events, connection) = self.take(world, process, connection, has_messages);
        let lane = self.id;
        world.note(|| {
            format!("lane {lane} takes {}", list(events.iter().map(|(_, envelope)| envelope)))
        });
        let tags = || events.iter().map(|(tag, _)| *tag).collect::<Vec<_>>();
        if world.has(Bug::AcknowledgeBeforeCommit) {
            let tags = tags();
            world.broker.acknowledge(self.queue, process, |tag| tags.contains(&tag));
        }
        if self.queue == DEAD && world.has(Bug::DeadQueueDropped) {
            self.task = Task::Acknowledging(tags(), connection);
            return Progress::Some;
        }
        let (work, origin) = (self.read(&events), Origin::Queue);
        self.task = Task::Working(Box::new(Batch { work, origin, open: None, events, connection }));
        Progress::Some
    }

    /// `start_newest` for one key: the start is committed before its event is tried.
    fn retry(&mut self, world: &mut World, key: usize) -> Progress {
        let Some((incoming, starts)) = world.database.start(key, world.clock) else {
            return Progress::None;
        };
        let (lane, sequence) = (self.id, incoming.envelope.sequence);
        world.note(|| format!("lane {lane} tries {key}/{sequence} again, start {starts}"));
        let is_given_up = starts > MOST_STARTS;
        let ruling = is_given_up.then_some((0, Ruling::Dead("starts_exhausted")));
        let work = Work::new(vec![incoming], ruling.into_iter().collect());
        self.task = Task::Working(Box::new(Batch::of_parked(work)));
        Progress::Some
    }

    /// The first transaction of `start_first`.
    fn look(&mut self, world: &mut World, key: usize) -> Progress {
        if world.database.is_locked(key, self.id) {
            return Progress::None;
        }
        let position = world.database.cursors[key].unwrap_or(Position::START);
        let found = world.database.first(key, position.last, world.clock);
        let looked = found.map_or(Look::Later, |(sequence, is_due, starts)| {
            look(position, sequence, is_due, starts, MOST_STARTS)
        });
        let lane = self.id;
        world.note(|| format!("lane {lane} looks at key {key}: {looked:?}"));
        match (looked, found) {
            (Look::Later, _) | (_, None) => world.settle(key),
            (Look::Lonely, Some((sequence, ..))) => {
                let incoming = world.database.parked[&(key, sequence)].incoming();
                world.bury(&incoming, "missing_predecessor", false);
                world.database.parked.remove(&(key, sequence));
                world.settle(key);
            }
            (Look::Try | Look::GiveUp, Some((first, ..))) => {
                self.task = Task::Reading { key, first, gives_up: looked == Look::GiveUp };
            }
        }
        Progress::Some
    }

    /// Opens the next transaction, or ends the open one.
    fn work(&mut self, world: &mut World, mut batch: Box<Batch>) -> Progress {
        if let Some(open) = batch.open.take() {
            match open.end(world, &batch, self.id) {
                Ended::Committed => batch.work.done(),
                Ended::Failed => return self.again(world, batch),
            }
        } else if let Some((incoming, rulings)) = batch.work.next() {
            match Open::begin(world, incoming, &rulings, batch.origin, self.id) {
                Opened::Locked => {
                    self.task = Task::Working(batch);
                    return Progress::None;
                }
                Opened::Open(open) => batch.open = Some(open),
                Opened::Ruled(findings) => batch.work.learn(findings),
                Opened::Split => batch.work.split(),
                Opened::Died => return Progress::Died,
            }
        }
        self.task = match (batch.work.next(), batch.origin) {
            (Some(_), _) => Task::Working(batch),
            (None, Origin::Queue) => {
                let tags = batch.events.iter().map(|(tag, _)| *tag).collect();
                Task::Acknowledging(tags, batch.connection)
            }
            (None, Origin::Parked) => Task::Idle,
        };
        Progress::Some
    }

    /// `persist`: the database failed, or another process was faster. The same is done once more from the beginning.
    fn again(&mut self, world: &mut World, mut batch: Box<Batch>) -> Progress {
        let lane = self.id;
        world.note(|| format!("lane {lane} begins again"));
        if batch.origin == Origin::Queue {
            batch.work = self.read(&batch.events);
            self.task = Task::Working(batch);
        }
        Progress::Some
    }
}

/// The keys of events, in order, each once.
pub(super) fn keys_of(incoming: &[Incoming]) -> Vec<usize> {
    let keys: BTreeSet<usize> = incoming.iter().map(|one| number(&one.envelope.subject)).collect();
    keys.into_iter().collect()
}

/// Events as people read them in a trace.
pub(super) fn list<'a>(events: impl Iterator<Item = &'a Envelope>) -> String {
    let one = |envelope: &Envelope| {
        format!("{}/{}#{}", envelope.subject, envelope.sequence, event(envelope))
    };
    events.map(one).collect::<Vec<_>>().join(" ")
}

/// What is known of events beforehand.
pub(super) type Rulings = HashMap<usize, Ruling>;
