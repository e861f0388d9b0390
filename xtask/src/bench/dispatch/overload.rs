//! One overload, the same for each dispatch order: for a while more comes than can be done, then less.

use std::time::{Duration, Instant};

use messaging::{BatchSize, Dispatch};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::task::JoinSet;

use super::{
    stage::{Stage, say},
    theory::{Arrival, Server},
};
use crate::failure::Failure;

/// How long the listener needs for each event, and how many it takes at once: few, for what is urgent waits for what is in hand.
const PER_EVENT: Duration = Duration::from_millis(2);
const BATCH: u32 = 8;

/// How much of what can be done comes, and for how long: in the burst, and behind it until the backlog is gone.
const BURST: (f64, Duration) = (1.5, Duration::from_secs(4));
const REST: (f64, Duration) = (0.5, Duration::from_secs(7));

/// How much of what comes are small edits.
const SMALL: f64 = 0.2;

/// What the server is taken for at first.
const GUESS: Server =
    Server { per_batch: Duration::from_millis(4), per_event: PER_EVENT, batch: BATCH };

fn batch() -> BatchSize {
    BatchSize::Fixed(usize::try_from(BATCH).unwrap_or(1))
}

/// What the listener can do under such an overload, found out by one.
pub(super) async fn calibrate() -> Result<Server, Failure> {
    Ok(run(Dispatch::Fifo, GUESS, 0).await?.server)
}

/// What the listener could do, from its effects in their order: while there is a backlog, one full batch follows the other.
fn observed(effects: &[(usize, Instant)]) -> Server {
    let batches: Vec<&[(usize, Instant)]> =
        effects.chunk_by(|(_, before), (_, after)| before == after).collect();
    let full = |batch: &[(usize, Instant)]| u32::try_from(batch.len()) == Ok(BATCH);
    let took: Vec<Duration> = batches
        .windows(2)
        .filter(|pair| full(pair[0]) && full(pair[1]))
        .map(|pair| pair[1][0].1.saturating_duration_since(pair[0][0].1))
        .collect();
    let number = u32::try_from(took.len()).unwrap_or(u32::MAX).max(1);
    let per_batch = (took.iter().sum::<Duration>() / number).saturating_sub(PER_EVENT * BATCH);
    Server { per_batch, per_event: PER_EVENT, batch: BATCH }
}

/// What came when, and how long it waited from its commit to that of its effect; in the order of the commits.
#[derive(Debug)]
pub(super) struct Seen {
    /// What the listener could do meanwhile.
    pub(super) server: Server,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) waits: Vec<Duration>,
}

/// Lets the overload come.
pub(super) async fn run(dispatch: Dispatch, server: Server, seed: u64) -> Result<Seen, Failure> {
    let stage = Stage::open(dispatch, batch(), PER_EVENT).await?;
    let listening = stage.listen();
    let planned = plan(server, seed);
    let mut writers = JoinSet::new();
    let began = Instant::now();
    for (number, arrival) in planned.iter().copied().enumerate() {
        tokio::time::sleep_until((began + arrival.at).into()).await;
        let kit = stage.speaker.clone();
        writers.spawn(async move {
            let mut tx = kit.begin().await?;
            say(&mut tx, number, arrival.is_small)?;
            tx.commit().await?;
            Ok::<_, Failure>((number, Instant::now()))
        });
    }
    let mut committed = Vec::new();
    while let Some(written) = writers.join_next().await {
        committed.push(written.map_err(|_| Failure::Late("a writer is done"))??);
    }
    committed.sort_unstable_by_key(|(_, at)| *at);
    let mut effects = stage.witness.wait_for(planned.len()).await?;
    let server = observed(&effects);
    effects.sort_unstable_by_key(|(number, _)| *number);
    stage.close(listening).await;
    let arrival = |(number, at): &(usize, Instant)| Arrival {
        at: at.duration_since(began),
        is_small: planned[*number].is_small,
    };
    // The answer to a commit and the effect may cross on this machine: then it took no time.
    let wait = |(number, at): &(usize, Instant)| effects[*number].1.saturating_duration_since(*at);
    Ok(Seen {
        server,
        arrivals: committed.iter().map(arrival).collect(),
        waits: committed.iter().map(wait).collect(),
    })
}

/// When something comes: at random, at the rate of the burst and then at that of the rest.
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

/// Until when more comes than can be done.
pub(super) const fn burst_ends() -> Duration {
    BURST.1
}
