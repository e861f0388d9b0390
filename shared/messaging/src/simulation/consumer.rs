//! Two processes of the listening service. Each has a lane for every slot group and one for what the broker gave up. A process
//! may die between any two steps, and lose its connection without noticing.

use super::{
    broker::DEAD,
    lane::{Lane, Progress},
    world::World,
};

/// A process.
#[derive(Debug)]
pub(super) struct Process {
    id: usize,
    /// Counts its connections.
    connection: u32,
    lanes: [Lane; DEAD + 1],
}

impl Process {
    pub(super) fn new(id: usize) -> Self {
        let lane = |queue| Lane::new(id * 3 + queue, queue);
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
