//! One schedule: some dozens of random steps with faults, then rest, then all dead letters are dealt with, then rest again.

use super::{
    bugs::Bug,
    consumer::Process,
    invariants::Seen,
    letters::State,
    operator::{Operator, discard},
    parking::GAP,
    relay::{Relay, TERM},
    world::World,
    writer::Writer,
};

/// How many steps come to rest at the latest.
const BOUND: usize = 3_000;

/// All actors.
#[derive(Debug)]
struct Actors {
    writers: [Writer; 2],
    relays: [Relay; 2],
    processes: [Process; 2],
    operator: Operator,
}

/// What a schedule came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) seen: Seen,
    /// Which promise was broken, if one was.
    pub(super) violation: Option<String>,
    /// What happened, if it was to be written down.
    pub(super) trace: Vec<String>,
}

/// Runs the schedule of a seed.
pub(super) fn run(seed: u64, bug: Option<Bug>, is_traced: bool) -> Outcome {
    let mut world = World::new(seed, bug, is_traced);
    let mut actors = Actors {
        writers: Writer::two(&mut world),
        relays: [0, 1].map(Relay::new),
        processes: [0, 1].map(Process::new),
        operator: Operator::default(),
    };
    let steps = world.random.pick([60, 150, 300]);
    let release = world.random.below(2 * steps);
    for step in 0..steps {
        if step == release && world.is_of_state() {
            world.note(|| "a release takes a handler away".to_owned());
            world.handler.is_reduced = true;
        }
        actors.stir(&mut world);
    }
    actors.operator.mark(&mut world);
    world.faults = 0;
    world.note(|| "from here on nothing fails".to_owned());
    actors.settle_down(&mut world, false);
    world.note(|| "from here on all dead letters are dealt with".to_owned());
    world.handler.mend_all();
    for _ in 0..BOUND {
        if world.violation.is_some() || !actors.clear_some(&mut world) {
            break;
        }
    }
    actors.settle_down(&mut world, true);
    world.seen.events = u64::try_from(world.said.iter().flatten().count()).unwrap();
    Outcome { seen: world.seen, violation: world.violation, trace: world.trace.unwrap_or_default() }
}

impl Actors {
    /// One random step, if no promise is broken yet.
    fn stir(&mut self, world: &mut World) {
        if world.violation.is_some() {
            return;
        }
        match world.random.weighted(world.weights.actors) {
            0 => drop(self.writers[world.random.below(2)].step(world)),
            1 => drop(self.relays[0].step(world)),
            2 => drop(self.relays[1].step(world)),
            process @ (3 | 4) => {
                let lane = world.random.below(3);
                self.processes[process - 3].step(world, lane);
            }
            5 => drop(self.operator.step(world)),
            _ => {
                let pauses = [100, 1_100, TERM + 1, GAP + 1];
                world.clock += pauses[world.random.weighted(world.weights.pauses)];
            }
        }
    }

    /// Lets everybody work until nobody has anything to do, and checks the promises.
    fn settle_down(&mut self, world: &mut World, is_clear: bool) {
        for _ in 0..BOUND {
            if world.violation.is_some() {
                return;
            }
            if !self.turn(world) && !self.wait(world) {
                world.check(is_clear);
                return;
            }
        }
        world.violated(|| format!("after {BOUND} turns there is still no rest"));
    }

    /// A step of everybody. Whether anybody did anything.
    fn turn(&mut self, world: &mut World) -> bool {
        let mut any = false;
        for writer in &mut self.writers {
            any |= writer.step(world);
        }
        for relay in &mut self.relays {
            any |= relay.step(world);
        }
        for process in &mut self.processes {
            for lane in 0..3 {
                any |= process.step(world, lane);
            }
        }
        any
    }

    /// Lets the time pass until something may have become possible. Whether there is any such time.
    fn wait(&self, world: &mut World) -> bool {
        let parked = world.database.parked.values().filter_map(|row| row.next_at);
        let lease = world.database.lease.filter(|_| !world.database.outbox.is_empty());
        let lease = lease.map(|lease| lease.expires_at);
        let resting = self.relays.iter().filter_map(Relay::wakes);
        let next = parked.chain(lease).chain(resting).filter(|at| *at > world.clock).min();
        if let Some(next) = next {
            world.clock = next;
        }
        next.is_some()
    }

    /// Deals with one of the pending dead letters, whichever, or sends some again, and lets what follows from it come to rest.
    /// Whether there was any.
    fn clear_some(&mut self, world: &mut World) -> bool {
        let letters = world.database.letters.iter().enumerate();
        let pending = letters.filter(|(_, letter)| letter.state == State::Pending);
        let pending: Vec<usize> = pending.map(|(index, _)| index).collect();
        if pending.is_empty() {
            return false;
        }
        let first = world.random.below(pending.len());
        if world.random.chance(80) {
            let many = world.random.pick([1, 1, 3]).min(pending.len() - first);
            self.operator.redrive(world, &pending[first..first + many]);
            self.operator.mark(world);
        } else {
            discard(world, pending[first]);
        }
        let is_dealt_with = |index: &usize| world.database.letters[*index].state != State::Pending;
        if pending.iter().any(is_dealt_with) {
            self.settle_down(world, false);
        }
        true
    }
}
