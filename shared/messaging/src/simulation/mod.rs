//! A simulation of the kit: its decisions, driven by a model of the broker, of the databases and of everybody who acts on them,
//! through random schedules of crashes, lost connections, refusals, returned messages, stale leaders, retries, rejects and
//! people who deal with dead letters.
//!
//! Real are the pure functions of relay, consumer and dead letters: `pack`, `plan`, `plan_newest`, `runs`, `look`, `ruling`,
//! `Work`, `Dispatcher`, `Docket`, and `settle` of relay and of hand. What the kit does in SQL is modelled, one method for each
//! statement or transaction, named after it. There is no time, no thread and no network in a schedule: the same seed gives the
//! same steps, but for message ids, which nothing depends on.
//!
//! Two schedules of three are of a subscription that takes every number in its turn, one of a subscription to full state.
//!
//! `SIMULATION_SCHEDULES` says how many schedules are run, `SIMULATION_SEED` runs a single one and prints its steps.

#![expect(
    clippy::print_stdout,
    reason = "how soon each bug is found is of interest to who reads the test's output"
)]

mod broker;
mod bugs;
mod consumer;
mod database;
mod full_state;
mod hand;
mod handler;
mod invariants;
mod lane;
mod letters;
mod newest;
mod operator;
mod parking;
mod relay;
mod retries;
mod schedule;
mod taking;
mod transaction;
mod world;
mod writer;

use std::sync::atomic::{AtomicU64, Ordering};

use self::{
    bugs::Bug,
    invariants::Seen,
    schedule::{Outcome, run},
};

/// How many schedules an ordinary test run takes on.
const SCHEDULES: u64 = 20_000;

/// How many schedules a planted bug may stay hidden.
const PATIENCE: u64 = 20_000;

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// The broken promise of a seed, with the steps that lead to it.
fn explain(seed: u64, bug: Option<Bug>) -> String {
    let Outcome { violation, trace, .. } = run(seed, bug, true);
    let steps = trace.join("\n");
    let violation = violation.unwrap_or_else(|| "all promises hold".to_owned());
    format!("seed {seed}: {violation}\n{steps}\nseed {seed}: {violation}")
}

/// Runs the first `count` schedules on all cores. The lowest seed that breaks a promise, or what was seen.
fn run_all(count: u64, bug: Option<Bug>) -> Result<Seen, u64> {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let lowest = AtomicU64::new(u64::MAX);
    let part = |worker: usize| {
        let mut seen = Seen::default();
        for seed in (0..count).skip(worker).step_by(workers) {
            if seed > lowest.load(Ordering::Relaxed) {
                break;
            }
            let outcome = run(seed, bug, false);
            if outcome.violation.is_some() {
                lowest.fetch_min(seed, Ordering::Relaxed);
            }
            seen.add(outcome.seen);
        }
        seen
    };
    let mut all = Seen::default();
    std::thread::scope(|scope| {
        let part = &part;
        let workers: Vec<_> =
            (0..workers).map(|worker| scope.spawn(move || part(worker))).collect();
        for worker in workers {
            all.add(worker.join().unwrap());
        }
    });
    match lowest.into_inner() {
        u64::MAX => Ok(all),
        seed => Err(seed),
    }
}

#[test]
fn no_schedule_breaks_a_promise() {
    if let Some(seed) = setting("SIMULATION_SEED") {
        panic!("{}", explain(seed, None));
    }
    let seen = run_all(setting("SIMULATION_SCHEDULES").unwrap_or(SCHEDULES), None);
    let seen = seen.unwrap_or_else(|seed| panic!("{}", explain(seed, None)));
    println!("{seen:?}");
    // A schedule in which nothing goes wrong proves nothing.
    assert!(seen.is_everything(), "not every situation came up: {seen:?}");
}

#[test]
fn every_planted_bug_is_found() {
    let mut hidden = Vec::new();
    for bug in Bug::HARMFUL {
        match run_all(PATIENCE, Some(bug)) {
            Ok(_) => hidden.push(bug),
            Err(seed) => {
                let violation = run(seed, Some(bug), false).violation.unwrap();
                println!("{bug:?} in schedule {seed}: {violation}");
            }
        }
    }
    assert!(hidden.is_empty(), "not found in {PATIENCE} schedules: {hidden:?}");
}

/// Two things that look like bugs and are none. That number 5 is refused and number 6 of its key, in another message of the same round,
/// is confirmed and deleted, is what the kit does: 5 stays, and the listener parks 6 until it comes. And the epoch:
///
/// A relay deletes by id only what the broker has confirmed to that very relay. So a relay that lost its lease may delete, too, and
/// nothing is lost: the epoch is a second lock on a door that is closed. What a stale relay publishes comes twice, and the
/// cursors know it.
#[test]
fn a_stale_relay_does_no_harm_with_the_epoch_or_without() {
    for bug in [None, Some(Bug::DeleteWithoutEpoch)] {
        let seen = run_all(5_000, bug).unwrap_or_else(|seed| panic!("{}", explain(seed, bug)));
        assert!(seen.zombie_published > 0);
    }
}
