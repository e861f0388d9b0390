//! A schedule: random steps with faults, then all pending work, then the resolution of all dead letters, then
//! all pending work again.
//!
//! In half of the schedules a fault of one subscriber does not end with the others. Until it is healed, everything must hold for the other
//! subscribers.

use super::{
    bugs::Bug,
    coverage::Coverage,
    journal::Journal,
    letter::State,
    limits::{GAP_TIMEOUT, LEASE_TTL, SUBSCRIBERS},
    operator::{Operator, discard},
    process::{Process, TASK_COUNT},
    relay::Relay,
    subscriber::{Broken, BrokenKind},
    world::World,
    writer::Writer,
};

/// The most steps until all work is done.
const BOUND: usize = 3_000;

/// How long a broken queue is probed before its events are left alone, in milliseconds.
const PROBING: u64 = 60_000;

/// How long the others may need while a fault does not end, in milliseconds. A missing message of a partition that waits for a broken
/// queue is asked for all the time.
const BESIDE: u64 = 600_000;

#[derive(Debug)]
struct Actors {
    writers: [Writer; 2],
    relays: [Relay; 2],
    /// Two of each subscriber.
    processes: [[Process; 2]; SUBSCRIBERS],
    operators: [Operator; SUBSCRIBERS],
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
    run_in(&mut world);
    Outcome {
        coverage: world.coverage,
        violation: world.violation,
        trace: world.trace.unwrap_or_default(),
    }
}

/// Runs the schedule of a seed and records what it does to the databases.
pub(super) fn run_recorded(seed: u64) -> Journal {
    let mut world = World::new(seed, None, false);
    let orderings = std::array::from_fn(|subscriber| {
        world.turn_to(subscriber);
        world.ordering
    });
    world.journal = Some(Journal::new(orderings));
    run_in(&mut world);
    world.journal.unwrap()
}

fn run_in(world: &mut World) {
    let broken = Broken::drawn(&mut world.random);
    let process =
        |subscriber: usize| [0, 1].map(|id| Process::new(2 * subscriber + id, subscriber));
    let mut actors = Actors {
        writers: Writer::two(world),
        relays: [0, 1].map(Relay::new),
        processes: std::array::from_fn(process),
        operators: std::array::from_fn(|_| Operator::default()),
    };
    let steps = world.random.pick([100, 200, 400]);
    let release = world.random.below(2 * steps);
    let breakdown = world.random.below(steps);
    for step in 0..steps {
        if step == release {
            world.release();
        }
        if step == breakdown
            && let Some(broken) = broken
        {
            world.coverage.broken += 1;
            world.break_down(broken);
        }
        actors.random_step(world);
    }
    actors.end_faults(world);
    if world.broken.is_some() {
        actors.run_beside(world);
        world.heal();
    }
    actors.run_to_completion(world, false);
    world.note(|| "resolving all dead letters".to_owned());
    for subscriber in 0..SUBSCRIBERS {
        world.turn_to(subscriber);
        world.handler.fix_all();
        for _ in 0..BOUND {
            if world.violation.is_some() || !actors.resolve_some(world, subscriber) {
                break;
            }
        }
    }
    actors.run_to_completion(world, true);
    world.coverage.events = u64::try_from(world.emitted.iter().flatten().count()).unwrap();
}

impl World {
    /// A release of the subscribers of full state removes a handler.
    fn release(&mut self) {
        for subscriber in 0..SUBSCRIBERS {
            self.turn_to(subscriber);
            if self.is_of_state() {
                self.note(|| format!("a release of subscriber {subscriber} removes a handler"));
                self.handler.is_reduced = true;
            }
        }
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
        if world.fault(world.weights.losses)
            && let Some(subscriber) = world.strike()
        {
            for process in &mut self.processes[subscriber] {
                process.die(world);
            }
        }
        let subscriber = world.random.below(SUBSCRIBERS);
        match world.random.weighted(world.weights.actors) {
            0 => drop(self.writers[world.random.below(2)].step(world)),
            1 => drop(self.relays[0].step(world)),
            2 => drop(self.relays[1].step(world)),
            process @ (3 | 4) if !hangs(world, subscriber) => {
                // Often a task has nothing to do: then another one has its turn.
                for _ in 0..2 {
                    let task = world.random.below(TASK_COUNT);
                    if self.processes[subscriber][process - 3].step(world, task) {
                        break;
                    }
                }
            }
            5 if world.random.chance(5) => world.republish(subscriber),
            5 => {
                world.turn_to(subscriber);
                self.operators[subscriber].step(world);
            }
            _ => {
                let pauses = [100, 1_100, LEASE_TTL + 1, GAP_TIMEOUT + 1];
                world.clock += pauses[world.random.weighted(world.weights.pauses)];
            }
        }
    }

    /// All faults end that end by themselves, and all processes are of the new version.
    fn end_faults(&mut self, world: &mut World) {
        for subscriber in 0..SUBSCRIBERS {
            world.turn_to(subscriber);
            self.operators[subscriber].mark(world);
            world.handler.deaths.clear();
        }
        world.faults = 0;
        world.note(|| "no more faults, and no old version".to_owned());
        for process in self.processes.as_flattened_mut() {
            process.upgrade();
        }
        for relay in &mut self.relays {
            relay.restart(world);
        }
    }

    /// Lets all actors work while a fault does not end. The invariants must hold for the other subscribers.
    fn run_beside(&mut self, world: &mut World) {
        let began = world.clock;
        for round in 0..BOUND {
            if world.violation.is_some() {
                return;
            }
            world.is_settling = world.clock >= began + PROBING || round > BOUND / 4;
            if self.round(world) {
                continue;
            }
            let is_over = world.clock >= began + BESIDE || !self.advance_clock(world);
            if is_over && world.is_settling {
                let waiting = world.publisher.outbox.len();
                world.coverage.waited += u64::try_from(waiting).unwrap();
                world.note(|| format!("{waiting} events wait for the broken queue"));
                world.check(false);
                world.is_settling = false;
                return;
            }
            if is_over {
                world.clock = world.clock.max(began + PROBING);
            }
        }
        world.violated(|| format!("others wait for what is broken, after {BOUND} rounds"));
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
        for subscriber in 0..SUBSCRIBERS {
            if hangs(world, subscriber) {
                continue;
            }
            for process in &mut self.processes[subscriber] {
                for consumer in 0..TASK_COUNT {
                    any |= process.step(world, consumer);
                }
            }
        }
        any
    }

    /// Advances the clock to the next time at which something may become due. Returns whether there is one.
    fn advance_clock(&self, world: &mut World) -> bool {
        let now = world.clock;
        // A relay that leads has nothing to wait for, unless rows or requests need another one.
        let is_needed = self.relays.iter().all(|relay| relay.renewed.is_none())
            || !world.publisher.outbox.is_empty()
            || !world.broker.requests.is_empty();
        let lease = world.publisher.lease.filter(|_| is_needed).map(|lease| lease.expires_at);
        let relays = self.relays.iter().filter_map(|relay| relay.wakes(world));
        let mut next = lease.into_iter().chain(relays).filter(|at| *at > now).min();
        for subscriber in (0..SUBSCRIBERS).filter(|subscriber| !hangs(world, *subscriber)) {
            let wakes = |process: &Process| process.wakes(world);
            let received = self.processes[subscriber].iter().filter_map(wakes);
            let parked = world.parked_of(subscriber).filter_map(|row| row.next_at);
            next = next.into_iter().chain(received).chain(parked).filter(|at| *at > now).min();
        }
        if let Some(next) = next {
            world.clock = next;
        }
        next.is_some()
    }

    /// Resolves one of the pending dead letters, or redrives some, and lets the consequences settle. Returns
    /// whether there was any.
    fn resolve_some(&mut self, world: &mut World, subscriber: usize) -> bool {
        world.turn_to(subscriber);
        let letters = world.database.letters.iter().enumerate();
        let pending = letters.filter(|(_, letter)| letter.state == State::Pending);
        let pending: Vec<usize> = pending.map(|(index, _)| index).collect();
        if pending.is_empty() {
            return false;
        }
        let operator = &mut self.operators[subscriber];
        let first = world.random.below(pending.len());
        if world.random.chance(80) {
            let many = world.random.pick([1, 1, 3]).min(pending.len() - first);
            operator.redrive(world, &pending[first..first + many]);
            operator.mark(world);
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

/// Whether the processes of a subscriber hang. In the end, those of the broken one do in any case: what it does takes no step of others.
fn hangs(world: &World, subscriber: usize) -> bool {
    let broken = world.broken.filter(|broken| broken.subscriber == subscriber);
    broken.is_some_and(|broken| broken.kind == BrokenKind::Processes || world.is_settling)
}
