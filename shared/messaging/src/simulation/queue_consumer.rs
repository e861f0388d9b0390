//! A queue consumer: the next step of its work. Its decisions are the real ones.

use envelope::Envelope;

use super::{
    broker::{DEAD, StoredMessage, queue_of},
    bugs::Bug,
    delivery_buffer::DeliveryBuffer,
    events::{keys_of, list, slots_of},
    handler::{Handler, Version},
    journal::Operation,
    limits::MAX_STARTS,
    received::ReceivedMessages,
    transaction::{BeginOutcome, CommitOutcome, OpenTransaction},
    world::World,
};
use crate::consume::{
    batch_splitter::BatchSplitter,
    plan::{Disposition, Origin, ParkedDecision, Position, decide_parked},
};

/// The two tasks of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It processes the messages.
    Queue,
    /// `RetryWorker`: it processes the parked events.
    Retry,
}

#[derive(Debug)]
pub(super) struct QueueConsumer {
    /// The holder of its locks in the database.
    pub(super) id: usize,
    pub(super) queue: usize,
    subscriber: usize,
    role: Role,
    pub(super) version: Version,
    /// Its buffer, if events are reordered.
    pub(super) buffer: Option<DeliveryBuffer>,
    /// The positions of the messages, if they come from a queue of a slot group.
    pub(super) received: Option<ReceivedMessages>,
    task: Task,
}

/// The state of a consumer.
#[derive(Debug)]
enum Task {
    /// It waits for messages and for due events.
    Idle,
    /// The start of a parked event is committed; next, the parked events of the key are read.
    ReadParked {
        key: usize,
        /// The number of the started event.
        first: i64,
        is_given_up: bool,
    },
    Processing(Box<Batch>),
    /// The events are committed; next, their messages are acknowledged on their connection.
    Acknowledging(Delivered),
}

/// Events that are processed together.
#[derive(Debug)]
struct Batch {
    splitter: BatchSplitter,
    origin: Origin,
    open: Option<OpenTransaction>,
    delivered: Delivered,
}

/// What a consumer has taken.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    /// The events as delivered, with the tags of their messages.
    pub(super) events: Vec<(u64, Envelope)>,
    /// The tags to acknowledge: of messages, or of each event if events are reordered.
    pub(super) tags: Vec<u64>,
    /// The messages, unless events are reordered.
    pub(super) messages: Vec<StoredMessage>,
    /// The connection on which they arrived.
    pub(super) connection: u32,
}

impl Batch {
    /// Parked events, which need no acknowledgement.
    fn of_parked(splitter: BatchSplitter) -> Self {
        Self { splitter, origin: Origin::Parked, open: None, delivered: Delivered::default() }
    }
}

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing to do, or blocked by a lock.
    None,
    Some,
    Died,
}

impl QueueConsumer {
    pub(super) const fn new(
        (id, subscriber): (usize, usize),
        queue: usize,
        role: Role,
        version: Version,
    ) -> Self {
        let (buffer, received, task) = (None, None, Task::Idle);
        Self { id, queue, subscriber, role, version, buffer, received, task }
    }

    /// The number of its queue at the broker.
    pub(super) const fn address(&self) -> usize {
        queue_of(self.subscriber, self.queue)
    }

    /// Runs the next step.
    pub(super) fn step(&mut self, world: &mut World, process: usize, connection: u32) -> Progress {
        match std::mem::replace(&mut self.task, Task::Idle) {
            Task::Idle => self.begin(world, process, connection),
            Task::ReadParked { key, first, is_given_up } => {
                let events = world.database.of_key(key);
                world.record(|_| {
                    let events = events.iter().map(|one| (one.envelope.sequence, one.attempts));
                    Operation::EventsOfKey { key, events: events.collect() }
                });
                let given_up = if world.has(Bug::GivenUpByIndex) {
                    (is_given_up && !events.is_empty()).then_some(0)
                } else {
                    events.iter().position(|event| is_given_up && event.envelope.sequence == first)
                };
                let disposition = |index| (index, Disposition::DeadLetter("starts_exhausted"));
                let splitter =
                    BatchSplitter::new(events, given_up.map(disposition).into_iter().collect());
                self.task = Task::Processing(Box::new(Batch::of_parked(splitter)));
                Progress::Some
            }
            Task::Processing(batch) => self.process(world, batch),
            Task::Acknowledging(delivered) => {
                // An acknowledgement on a lost connection has no effect: the messages are redelivered.
                if delivered.connection == connection {
                    self.acknowledge(world, process, &delivered);
                } else {
                    self.finish(&delivered.messages);
                    self.buffer = None;
                }
                Progress::Some
            }
        }
    }

    /// Starts due events.
    fn begin_retry(&mut self, world: &mut World) -> Progress {
        if self.version == Version::New && !world.has(Bug::UnknownForgotten) {
            let World { database, handler, clock, coverage, .. } = world;
            let count = database.revive(self.queue, handler, *clock);
            coverage.recognised += count;
            world.record(|_| Operation::Revive {
                slots: slots_of(self.queue),
                known: Handler::known(),
                count,
            });
        }
        let due = world.database.due(self.queue, world.clock);
        world.record(|_| Operation::Due {
            slots: slots_of(self.queue),
            keys: due.iter().copied().collect(),
        });
        if due.is_empty() {
            return Progress::None;
        }
        let key = due[world.random.below(due.len())];
        if world.is_of_state() { self.retry(world, key) } else { self.check_parked(world, key) }
    }

    /// Takes delivered events.
    fn begin(&mut self, world: &mut World, process: usize, connection: u32) -> Progress {
        if self.role == Role::Retry {
            return self.begin_retry(world);
        }
        self.open_buffer(world, connection);
        self.open_positions(world, process, connection);
        if let Some(received) = &mut self.received
            && received.keep(world)
        {
            return Progress::Some;
        }
        let is_old = self.buffer.as_ref().is_some_and(|buffer| buffer.connection != connection);
        let has_messages = !is_old && world.broker.has_for(self.address(), process);
        let has_events =
            has_messages || self.buffer.as_ref().is_some_and(|buffer| !buffer.is_empty());
        if !has_events {
            return Progress::None;
        }
        let delivered = self.take(world, process, connection, has_messages);
        let events = &delivered.events;
        let consumer = self.id;
        world.note(|| {
            format!(
                "consumer {consumer} takes {}",
                list(events.iter().map(|(_, envelope)| envelope))
            )
        });
        if world.has(Bug::AcknowledgeBeforeCommit) {
            let is_meant = |tag| delivered.tags.contains(&tag);
            let gone = world.broker.acknowledge(self.address(), process, is_meant);
            world.remember_acknowledged(&gone);
            self.finish(&gone);
        }
        if self.queue == DEAD && world.has(Bug::DeadLetterQueueDropped) {
            self.task = Task::Acknowledging(delivered);
            return Progress::Some;
        }
        let (splitter, origin) = (self.splitter(&delivered.events), Origin::Queue);
        self.task = Task::Processing(Box::new(Batch { splitter, origin, open: None, delivered }));
        Progress::Some
    }

    /// `start_newest` for one key: the start is committed before the attempt.
    fn retry(&mut self, world: &mut World, key: usize) -> Progress {
        let found = world.database.start(key, world.clock, self.id);
        world.record(|_| {
            let found = found.as_ref().map(|(one, starts)| (one.envelope.sequence, *starts));
            Operation::StartNewest { key, found }
        });
        let Some((events, starts)) = found else { return Progress::None };
        let (consumer, sequence) = (self.id, events.envelope.sequence);
        world.note(|| format!("consumer {consumer} retries {key}/{sequence}, start {starts}"));
        let is_given_up = starts > MAX_STARTS;
        let disposition = is_given_up.then_some((0, Disposition::DeadLetter("starts_exhausted")));
        let splitter = BatchSplitter::new(vec![events], disposition.into_iter().collect());
        self.task = Task::Processing(Box::new(Batch::of_parked(splitter)));
        Progress::Some
    }

    /// The first transaction of `start_first`.
    fn check_parked(&mut self, world: &mut World, key: usize) -> Progress {
        if world.database.is_locked(key, self.id) {
            return Progress::None;
        }
        let position = world.database.cursors[key].unwrap_or(Position::START);
        let found = world.database.first(key, position.last, world.clock, self.id);
        let decision = found.map_or(ParkedDecision::NotDue, |(sequence, is_due, starts)| {
            decide_parked(position, sequence, is_due, starts, MAX_STARTS)
        });
        let consumer = self.id;
        world.note(|| format!("consumer {consumer} checks key {key}: {decision:?}"));
        let mut is_detached = false;
        match (decision, found) {
            (ParkedDecision::NotDue, _) | (_, None) => world.settle(key, self.id),
            (ParkedDecision::MissingPredecessor, Some((sequence, ..))) => {
                let event = world.database.parked[&(key, sequence)].received_event();
                world.record_dead_letter(&event, "missing_predecessor", false);
                if world.random.chance(world.weights.old_version) {
                    is_detached = true;
                    world.detach(key, sequence);
                }
                world.settle(key, self.id);
            }
            (ParkedDecision::Attempt | ParkedDecision::GiveUp, Some((first, ..))) => {
                self.task = Task::ReadParked {
                    key,
                    first,
                    is_given_up: decision == ParkedDecision::GiveUp,
                };
            }
        }
        world.record(|_| Operation::First { key, decision, is_detached });
        Progress::Some
    }

    /// Begins the next transaction, or ends the open one.
    fn process(&mut self, world: &mut World, mut batch: Box<Batch>) -> Progress {
        if let Some(open) = batch.open.take() {
            let events = batch.splitter.next().map_or(&[][..], |(events, _)| events);
            let is_locked = |key: &usize| world.database.is_locked(*key, self.id);
            if batch.origin == Origin::Parked && keys_of(events).iter().any(is_locked) {
                batch.open = Some(open);
                self.task = Task::Processing(batch);
                return Progress::None;
            }
            match open.end(world, events, batch.origin, self.id) {
                CommitOutcome::Committed => batch.splitter.committed(),
                CommitOutcome::Failed => return self.restart(world, batch),
            }
        } else if let Some((events, dispositions)) = batch.splitter.next() {
            let consumer = (self.id, self.version);
            match OpenTransaction::begin(world, events, &dispositions, batch.origin, consumer) {
                BeginOutcome::Locked => {
                    self.task = Task::Processing(batch);
                    return Progress::None;
                }
                BeginOutcome::Open(open) => batch.open = Some(open),
                BeginOutcome::Skipped => batch.splitter.committed(),
                BeginOutcome::Failed(failed) => batch.splitter.failed(failed),
                BeginOutcome::BatchFailed => batch.splitter.split_in_halves(),
                BeginOutcome::Died => return Progress::Died,
            }
        }
        self.task = match (batch.splitter.next(), batch.origin) {
            (Some(_), _) => Task::Processing(batch),
            (None, Origin::Queue) => Task::Acknowledging(batch.delivered),
            (None, Origin::Parked) => Task::Idle,
        };
        Progress::Some
    }

    /// `retry_until_stopped`: the database failed, or another process was faster. The work starts again from
    /// the beginning.
    fn restart(&mut self, world: &mut World, mut batch: Box<Batch>) -> Progress {
        let consumer = self.id;
        world.note(|| format!("consumer {consumer} restarts"));
        if batch.origin == Origin::Queue {
            batch.splitter = self.splitter(&batch.delivered.events);
            self.task = Task::Processing(batch);
        }
        Progress::Some
    }
}
