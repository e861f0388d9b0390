//! A schedule: random steps with faults, then all pending work, then the resolution of all dead letters, then
//! all pending work again.

use super::{
    bugs::Bug,
    coverage::Coverage,
    letter::State,
    limits::{GAP_TIMEOUT, LEASE_TTL},
    operator::{Operator, discard},
    process::{Process, TASK_COUNT},
    relay::Relay,
    world::World,
    writer::Writer,
};

/// The most steps until all work is done.
const BOUND: usize = 3_000;

#[derive(Debug)]
struct Actors {
    writers: [Writer; 2],
    relays: [Relay; 2],
    processes: [Process; 2],
    operator: Operator,
}

/// The result of a schedule.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) coverage: Coverage,
    pub(super) violation: Option<String>,
    /// The steps, if they were recorded.
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
            world.note(|| "a release removes a handler".to_owned());
            world.handler.is_reduced = true;
        }
        actors.random_step(&mut world);
    }
    actors.operator.mark(&mut world);
    world.faults = 0;
    world.note(|| "no more faults, and no old version".to_owned());
    for process in &mut actors.processes {
        process.upgrade();
    }
    actors.run_to_completion(&mut world, false);
    world.note(|| "resolving all dead letters".to_owned());
    world.handler.fix_all();
    for _ in 0..BOUND {
        if world.violation.is_some() || !actors.resolve_some(&mut world) {
            break;
        }
    }
    actors.run_to_completion(&mut world, true);
    world.coverage.events = u64::try_from(world.emitted.iter().flatten().count()).unwrap();
    Outcome {
        coverage: world.coverage,
        violation: world.violation,
        trace: world.trace.unwrap_or_default(),
    }
}

impl Actors {
    /// One random step, unless an invariant is violated.
    fn random_step(&mut self, world: &mut World) {
        if world.violation.is_some() {
            return;
        }
        if world.random.chance(10) {
            world.store_late();
        }
        match world.random.weighted(world.weights.actors) {
            0 => drop(self.writers[world.random.below(2)].step(world)),
            1 => drop(self.relays[0].step(world)),
            2 => drop(self.relays[1].step(world)),
            process @ (3 | 4) => {
                // Often a task has nothing to do: then another one has its turn.
                for _ in 0..2 {
                    let task = world.random.below(TASK_COUNT);
                    if self.processes[process - 3].step(world, task) {
                        break;
                    }
                }
            }
            5 => drop(self.operator.step(world)),
            _ => {
                let pauses = [100, 1_100, LEASE_TTL + 1, GAP_TIMEOUT + 1];
                world.clock += pauses[world.random.weighted(world.weights.pauses)];
            }
        }
    }

    /// Lets all actors work until there is nothing to do, and checks the invariants.
    fn run_to_completion(&mut self, world: &mut World, is_clear: bool) {
        for _ in 0..BOUND {
            if world.violation.is_some() {
                return;
            }
            if !self.round(world) && !self.advance_clock(world) {
                world.check(is_clear);
                return;
            }
        }
        world.violated(|| format!("work is left after {BOUND} rounds"));
    }

    /// One step of each actor. Returns whether any had something to do.
    fn round(&mut self, world: &mut World) -> bool {
        let mut any = world.store_late();
        for writer in &mut self.writers {
            any |= writer.step(world);
        }
        for relay in &mut self.relays {
            any |= relay.step(world);
        }
        for process in &mut self.processes {
            for consumer in 0..TASK_COUNT {
                any |= process.step(world, consumer);
            }
        }
        any
    }

    /// Advances the clock to the next time at which something may become due. Returns whether there is one.
    fn advance_clock(&self, world: &mut World) -> bool {
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

    /// Resolves one of the pending dead letters, or redrives some, and lets the consequences settle. Returns
    /// whether there was any.
    fn resolve_some(&mut self, world: &mut World) -> bool {
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
        let is_processed = |index: &usize| world.database.letters[*index].state != State::Pending;
        if pending.iter().any(is_processed) {
            self.run_to_completion(world, false);
        }
        true
    }
}
