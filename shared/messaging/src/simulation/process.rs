//! Two processes of each subscribing service. Each consumes every slot group and the dead-letter queue, and retries
//! the parked events of every slot group beside them. A
//! process may die between any two steps, and lose its connection without noticing.

use super::{
    broker::DEAD,
    handler::Version,
    journal::Operation,
    limits::MAX_DEATHS,
    queue_consumer::{Progress, QueueConsumer, Role},
    world::World,
};

/// The tasks of a process.
const TASKS: [(usize, Role); 5] =
    [(0, Role::Queue), (1, Role::Queue), (DEAD, Role::Queue), (0, Role::Retry), (1, Role::Retry)];

/// How many tasks a process has.
pub(super) const TASK_COUNT: usize = TASKS.len();

#[derive(Debug)]
pub(super) struct Process {
    id: usize,
    subscriber: usize,
    /// Counts its connections.
    connection: u32,
    consumers: [QueueConsumer; TASK_COUNT],
}

impl Process {
    pub(super) fn new(id: usize, subscriber: usize) -> Self {
        Self::of_version(id, subscriber, Version::Old)
    }

    fn of_version(id: usize, subscriber: usize, version: Version) -> Self {
        let consumer = |task: usize| {
            let (queue, role) = TASKS[task];
            QueueConsumer::new((id * TASK_COUNT + task, subscriber), queue, role, version)
        };
        Self { id, subscriber, connection: 0, consumers: std::array::from_fn(consumer) }
    }

    /// It is replaced by a process of the new version, which continues its work.
    pub(super) fn upgrade(&mut self) {
        for consumer in &mut self.consumers {
            consumer.version = Version::New;
        }
    }

    /// Runs the next step of a consumer. Returns whether there was one.
    pub(super) fn step(&mut self, world: &mut World, consumer: usize) -> bool {
        let id = self.id;
        world.turn_to(self.subscriber);
        if world.fault(2) {
            self.die(world);
            return true;
        }
        if world.fault(2) {
            // The broker serves another process now, while the consumers continue with their buffers.
            self.connection += 1;
            world.note(|| format!("process {id} loses its connection"));
            self.disconnect(world);
            return true;
        }
        match self.consumers[consumer].step(world, id, self.connection) {
            Progress::None => false,
            Progress::Some => true,
            Progress::Died => {
                self.die(world);
                let deaths = world.handler.deaths.iter().find(|(_, deaths)| **deaths > MAX_DEATHS);
                if let Some((event, deaths)) = deaths.filter(|_| world.faults == 0) {
                    let text = format!("{deaths} processes died over event #{event}");
                    world.violated(|| text);
                }
                true
            }
        }
    }

    /// Everything that was not committed or acknowledged is lost; a new process takes its place.
    pub(super) fn die(&mut self, world: &mut World) {
        let (id, subscriber) = (self.id, self.subscriber);
        world.turn_to(subscriber);
        world.note(|| format!("process {id} dies"));
        for consumer in &self.consumers {
            world.database.unlock(consumer.id);
            world.record(|_| Operation::RollBack { consumer: consumer.id });
        }
        self.disconnect(world);
        let is_old = world.faults > 0 && world.random.chance(50);
        let version = if is_old { Version::Old } else { Version::New };
        *self =
            Self { connection: self.connection + 1, ..Self::of_version(id, subscriber, version) };
    }

    /// When something becomes due for its queues.
    pub(super) fn wakes(&self, world: &World) -> Option<u64> {
        let received = self.consumers.iter().filter_map(|consumer| consumer.received.as_ref());
        received.filter_map(|received| received.wakes(world)).min()
    }

    fn disconnect(&self, world: &mut World) {
        let given_up = world.broker.disconnect(self.id);
        if given_up > 0 {
            world.note(|| format!("the broker dead-letters {given_up} messages"));
            world.coverage.given_up += 1;
        }
    }
}
