//! One overload for every dispatch order: a burst above the capacity, then a rest below it.

use std::time::{Duration, Instant};

use messaging::{BatchSize, Dispatch};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::task::JoinSet;

use super::{
    harness::{Harness, emit_change},
    theory::{Arrival, Server},
};
use crate::error::Error;

/// The service time per event, and the batch size: small, because urgent events wait for the current batch.
const PER_EVENT: Duration = Duration::from_millis(2);
const BATCH: u32 = 8;

/// The load relative to the capacity, and its duration: in the burst, and in the rest, until the backlog is
/// gone.
const BURST: (f64, Duration) = (1.5, Duration::from_secs(4));
const REST: (f64, Duration) = (0.5, Duration::from_secs(7));

/// The share of small edits.
const SMALL: f64 = 0.2;

/// The first estimate of the server.
const GUESS: Server =
    Server { per_batch: Duration::from_millis(4), per_event: PER_EVENT, batch: BATCH };

fn batch() -> BatchSize {
    BatchSize::Fixed(usize::try_from(BATCH).unwrap_or(1))
}

/// The capacity of the consumer, measured under one overload.
pub(super) async fn calibrate() -> Result<Server, Error> {
    Ok(run(Dispatch::Fifo, GUESS, 0).await?.server)
}

/// Estimates the server from its effects in commit order: during a backlog, full batches follow each other.
fn observed(effects: &[(usize, Instant)]) -> Server {
    let batches: Vec<&[(usize, Instant)]> =
        effects.chunk_by(|(_, before), (_, after)| before == after).collect();
    let full = |batch: &[(usize, Instant)]| u32::try_from(batch.len()) == Ok(BATCH);
    let times: Vec<Duration> = batches
        .windows(2)
        .filter(|pair| full(pair[0]) && full(pair[1]))
        .map(|pair| pair[1][0].1.saturating_duration_since(pair[0][0].1))
        .collect();
    let number = u32::try_from(times.len()).unwrap_or(u32::MAX).max(1);
    let per_batch = (times.iter().sum::<Duration>() / number).saturating_sub(PER_EVENT * BATCH);
    Server { per_batch, per_event: PER_EVENT, batch: BATCH }
}

/// The arrivals in commit order, and how long each waited from its commit to the commit of its effect.
#[derive(Debug)]
pub(super) struct Measured {
    /// The capacity of the consumer during the run.
    pub(super) server: Server,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) waits: Vec<Duration>,
}

/// Runs the overload.
pub(super) async fn run(dispatch: Dispatch, server: Server, seed: u64) -> Result<Measured, Error> {
    let harness = Harness::open(dispatch, batch(), PER_EVENT).await?;
    let consumer = harness.start_consumer();
    let planned = plan(server, seed);
    let mut writers = JoinSet::new();
    let started = Instant::now();
    for (number, arrival) in planned.iter().copied().enumerate() {
        tokio::time::sleep_until((started + arrival.at).into()).await;
        let outbox = harness.publisher.clone();
        writers.spawn(async move {
            let mut tx = outbox.begin().await?;
            emit_change(&mut tx, number, arrival.is_small)?;
            tx.commit().await?;
            Ok::<_, Error>((number, Instant::now()))
        });
    }
    let mut committed = Vec::new();
    while let Some(written) = writers.join_next().await {
        committed.push(written.map_err(|_| Error::Timeout("a writer finishes"))??);
    }
    committed.sort_unstable_by_key(|(_, at)| *at);
    let mut effects = harness.effects.wait_for(planned.len()).await?;
    let server = observed(&effects);
    effects.sort_unstable_by_key(|(number, _)| *number);
    harness.close(consumer).await;
    let arrival = |(number, at): &(usize, Instant)| Arrival {
        at: at.duration_since(started),
        is_small: planned[*number].is_small,
    };
    // The effect may be committed before the writer sees its own commit: then the wait is zero.
    let wait = |(number, at): &(usize, Instant)| effects[*number].1.saturating_duration_since(*at);
    Ok(Measured {
        server,
        arrivals: committed.iter().map(arrival).collect(),
        waits: committed.iter().map(wait).collect(),
    })
}

/// Poisson arrivals, at the rate of the burst and then of the rest.
fn plan(server: Server, seed: u64) -> Vec<Arrival> {
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut at, mut arrivals) = (Duration::ZERO, Vec::new());
    loop {
        let (load, _) = if at < BURST.1 { BURST } else { REST };
        at += server.busy_time().div_f64(load).mul_f64(-rng.random::<f64>().max(1e-9).ln());
        if at > BURST.1 + REST.1 {
            return arrivals;
        }
        arrivals.push(Arrival { at, is_small: rng.random_bool(SMALL) });
    }
}

/// The end of the burst.
pub(super) const fn burst_end() -> Duration {
    BURST.1
}
