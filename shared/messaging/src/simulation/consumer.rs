//! Two processes of the listening service. Each has a lane for every slot group and one for what the broker gave up; what a lane
//! decides is the kit's. A process may die between any two steps, and lose its connection without noticing.

use std::{
    collections::{BTreeSet, HashMap},
    rc::Rc,
    time::Duration,
};

use contracts::Envelope;

use super::{
    broker::DEAD,
    bugs::Bug,
    transaction::{Ended, Open, Opened},
    world::{World, event},
};
use crate::consumer::{
    core::{Incoming, Look, Origin, Position, Ruling, look},
    work::Work,
};

/// How often a parked event is started at most. Thirty in the kit.
pub(super) const MOST_STARTS: i32 = 3;

/// A process.
#[derive(Debug)]
pub(super) struct Process {
    id: usize,
    /// Counts its connections.
    connection: u32,
    lanes: [Lane; DEAD + 1],
}

/// What one lane is about.
#[derive(Debug)]
struct Lane {
    /// Who it is to the database.
    id: usize,
    queue: usize,
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
    /// All is committed, and to be acknowledged on this connection.
    Acknowledging(u32),
}

/// Events that are processed together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) work: Work,
    pub(super) origin: Origin,
    /// The transaction that is open.
    pub(super) open: Option<Open>,
    /// The messages they came in, and on which connection.
    messages: Vec<Rc<Vec<Envelope>>>,
    connection: u32,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing was to be done, or another one's lock is in the way.
    None,
    /// Something was done.
    Some,
    /// The process died.
    Died,
}

impl Process {
    pub(super) fn new(id: usize) -> Self {
        let lane = |queue| Lane { id: id * 3 + queue, queue, task: Task::Idle };
        Self { id, connection: 0, lanes: std::array::from_fn(lane) }
    }

    /// Does the next thing in one of its lanes. Whether anything was done.
    pub(super) fn step(&mut self, world: &mut World, lane: usize) -> bool {
        let id = self.id;
        if world.fault(2) {
            self.die(world);
            return true;
        }
        if world.fault(2) {
            // The broker serves another one now, while the lanes go on with what they have in hand.
            self.connection += 1;
            world.note(|| format!("listener {id} loses its connection"));
            self.disconnect(world);
            return true;
        }
        match self.lanes[lane].step(world, id, self.connection) {
            Progress::None => false,
            Progress::Some => true,
            Progress::Died => {
                self.die(world);
                true
            }
        }
    }

    /// All that was not committed or acknowledged is gone; another process comes in its place.
    fn die(&mut self, world: &mut World) {
        let id = self.id;
        world.note(|| format!("listener {id} dies"));
        for lane in &self.lanes {
            world.database.unlock(lane.id);
        }
        self.disconnect(world);
        *self = Self { connection: self.connection + 1, ..Self::new(id) };
    }

    fn disconnect(&self, world: &mut World) {
        let given_up = world.broker.disconnect(self.id);
        if given_up > 0 {
            world.note(|| format!("the broker gives {given_up} messages up"));
            world.seen.given_up += 1;
        }
    }
}

impl Lane {
    fn step(&mut self, world: &mut World, process: usize, connection: u32) -> Progress {
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
                let (origin, messages) = (Origin::Parked, Vec::new());
                self.task = Task::Working(Box::new(Batch {
                    work,
                    origin,
                    open: None,
                    messages,
                    connection,
                }));
                Progress::Some
            }
            Task::Working(batch) => self.work(world, batch),
            Task::Acknowledging(on) => {
                // An acknowledgement on a connection that is gone reaches nobody.
                if on == connection {
                    world.broker.acknowledge(self.queue, process);
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
        let has_messages = world.broker.has_for(self.queue, process);
        if !due.is_empty() && (!has_messages || world.random.chance(50)) {
            let key = due[world.random.below(due.len())];
            return self.look(world, key);
        }
        if !has_messages {
            return Progress::None;
        }
        let most = if self.queue == DEAD { 1 } else { 1 + world.random.below(4) };
        let messages = world.broker.take(self.queue, process, most);
        let lane = self.id;
        world.note(|| {
            format!("lane {lane} takes {}", list(messages.iter().flat_map(|events| events.iter())))
        });
        if world.has(Bug::AcknowledgeBeforeCommit) {
            world.broker.acknowledge(self.queue, process);
        }
        if self.queue == DEAD && world.has(Bug::DeadQueueDropped) {
            self.task = Task::Acknowledging(connection);
            return Progress::Some;
        }
        let (work, origin) = (self.read(&messages), Origin::Queue);
        self.task =
            Task::Working(Box::new(Batch { work, origin, open: None, messages, connection }));
        Progress::Some
    }

    /// The events of messages; those that the broker gave up are to be parked, see `park_all`.
    fn read(&self, messages: &[Rc<Vec<Envelope>>]) -> Work {
        let incoming = |envelope: &Envelope| Incoming {
            envelope: envelope.clone(),
            attempts: 0,
            causes: Vec::new(),
            route: (String::new(), String::new()),
        };
        let all: Vec<Incoming> =
            messages.iter().flat_map(|events| events.iter().map(incoming)).collect();
        let ruled = if self.queue == DEAD { all.len() } else { 0 };
        let rulings = (0..ruled).map(|index| (index, Ruling::Retry(Duration::ZERO))).collect();
        Work::new(all, rulings)
    }

    /// The first transaction of `unpark_key`.
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
            (None, Origin::Queue) => Task::Acknowledging(batch.connection),
            (None, Origin::Parked) => Task::Idle,
        };
        Progress::Some
    }

    /// `persist`: the database failed, or another process was faster. The same is done once more from the beginning.
    fn again(&mut self, world: &mut World, mut batch: Box<Batch>) -> Progress {
        let lane = self.id;
        world.note(|| format!("lane {lane} begins again"));
        if batch.origin == Origin::Queue {
            batch.work = self.read(&batch.messages);
            self.task = Task::Working(batch);
        }
        Progress::Some
    }
}

/// The keys of events, in order, each once.
pub(super) fn keys_of(incoming: &[Incoming]) -> Vec<usize> {
    let keys: BTreeSet<usize> =
        incoming.iter().map(|one| super::world::number(&one.envelope.subject)).collect();
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
