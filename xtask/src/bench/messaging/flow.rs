//! The whole way of an event: transaction, outbox, relay, broker, consumer, committed effect.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use rand::{SeedableRng as _, rngs::StdRng};
use tokio::task::JoinSet;

use super::{
    item::{change_one, say_one, some_item},
    rate,
    stage::{Stage, Trouble},
};
use crate::{
    bench::{figures::percentile_ms, services::Running},
    failure::Failure,
};

/// How many events go the whole way.
const EVENTS: u64 = 200_000;

/// How many events a transaction says.
const SET: u64 = 100;

/// How many write at once.
const WRITERS: u64 = 2;

/// How many transactions a second the latency is measured at, each with one event, and for how long.
const PACE: (u32, Duration) = (500, Duration::from_secs(12));

/// What is not counted: until the relay, the consumers and the caches of the servers are warm.
const WARM_UP: u64 = 1_000;

/// How long an event takes from its commit to that of its effect.
pub(super) struct Latency {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Events per second on the whole way, all parts at work at once.
pub(super) async fn events_per_second() -> Result<f64, Failure> {
    let stage = Stage::open(0).await?;
    let (speaking, listening) = (stage.speak(), stage.listen());
    let began = Instant::now();
    write_all(&stage.speaker, WRITERS, EVENTS, SET).await?;
    stage.witness.wait_for(EVENTS).await?;
    let took = began.elapsed();
    stage.assert_sound(EVENTS).await?;
    speaking.stop().await;
    listening.stop().await;
    Ok(rate(EVENTS, took))
}

/// Says `events` events in sets of `set`, from `writers` writers at once.
pub(super) async fn write_all(
    kit: &messaging::Kit,
    writers: u64,
    events: u64,
    set: u64,
) -> Result<(), Failure> {
    let mut running = JoinSet::new();
    for writer in 0..writers {
        let kit = kit.clone();
        running.spawn(async move {
            let mut rng = StdRng::seed_from_u64(writer);
            for turn in (writer..events / set).step_by(usize::try_from(writers).unwrap_or(1)) {
                write_set(&kit, &mut rng, turn * set..(turn + 1) * set).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(written) = running.join_next().await {
        written.map_err(|_| Failure::Late("a writer is done"))??;
    }
    Ok(())
}

/// One transaction: items are changed, and as many events said.
async fn write_set(
    kit: &messaging::Kit,
    rng: &mut StdRng,
    numbers: std::ops::Range<u64>,
) -> Result<(), Failure> {
    let mut items: Vec<String> = numbers.clone().map(|_| some_item(rng)).collect();
    // Rows are locked in one order, and each once.
    items.sort_unstable();
    let mut rows = items.clone();
    rows.dedup();
    let mut tx = kit.begin().await?;
    sqlx::query(
        "insert into item (id, version) select unnest($1::text[]), 1
         on conflict (id) do update set version = item.version + 1",
    )
    .bind(rows)
    .execute(&mut *tx)
    .await?;
    for (item, number) in items.into_iter().zip(numbers) {
        say_one(&mut tx, item, number)?;
    }
    Ok(tx.commit().await?)
}

/// The latency at a steady pace that leaves the machine air.
pub(super) async fn latency() -> Result<Latency, Failure> {
    let stage = Stage::open(usize::try_from(paced()).unwrap_or_default()).await?;
    let said = run_at_a_pace(&stage, stage.listen(), paced()).await?;
    stage.assert_sound(paced()).await?;
    Ok(Latency::of(&stage, said.iter()))
}

/// The same while some events cannot be handled, or not at once: the latency of the events on all other keys.
pub(super) async fn latency_beside_trouble() -> Result<Latency, Failure> {
    let stage = Stage::open(usize::try_from(paced()).unwrap_or_default()).await?;
    let handled = (0..paced()).filter(|number| !Trouble::is_poison(*number)).count();
    let handled = u64::try_from(handled).unwrap_or_default();
    let said = run_at_a_pace(&stage, stage.listen_in_trouble(), handled).await?;
    let in_trouble: HashSet<&str> = said
        .iter()
        .filter(|one| Trouble::is_made_by(one.number))
        .map(|one| one.item.as_str())
        .collect();
    let others = said.iter().filter(|one| !in_trouble.contains(one.item.as_str()));
    Ok(Latency::of(&stage, others))
}

/// How many transactions the latency is measured with.
fn paced() -> u64 {
    u64::from(PACE.0) * PACE.1.as_secs()
}

/// An event whose transaction has committed.
struct Committed {
    number: u64,
    item: String,
    at: Instant,
}

/// Says events at the pace while who listens is `listening`, until so many have had their `effects`.
async fn run_at_a_pace(
    stage: &Stage,
    listening: Running,
    effects: u64,
) -> Result<Vec<Committed>, Failure> {
    let speaking = stage.speak();
    let said = say_at_a_pace(stage).await?;
    stage.witness.wait_for(effects).await?;
    speaking.stop().await;
    listening.stop().await;
    Ok(said)
}

/// Says one event in each of many transactions, at the pace.
async fn say_at_a_pace(stage: &Stage) -> Result<Vec<Committed>, Failure> {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / PACE.0);
    let mut writers = JoinSet::new();
    let mut rng = StdRng::seed_from_u64(0);
    for number in 0..paced() {
        pace.tick().await;
        let (kit, item) = (stage.speaker.clone(), some_item(&mut rng));
        writers.spawn(async move {
            let mut tx = kit.begin().await?;
            change_one(&mut tx, &item).await?;
            say_one(&mut tx, item.clone(), number)?;
            tx.commit().await?;
            Ok::<_, Failure>(Committed { number, item, at: Instant::now() })
        });
    }
    let mut said = Vec::new();
    while let Some(written) = writers.join_next().await {
        said.push(written.map_err(|_| Failure::Late("a writer is done"))??);
    }
    Ok(said)
}

impl Latency {
    /// That of these events, without the first ones.
    fn of<'a>(stage: &Stage, said: impl Iterator<Item = &'a Committed>) -> Self {
        let mut took: Vec<Duration> = said
            .filter(|one| one.number >= WARM_UP)
            // The answer to a commit and the effect may cross on this machine: then it took no time.
            .filter_map(|one| {
                let effect = stage.witness.at(usize::try_from(one.number).ok()?)?;
                Some(effect.saturating_duration_since(one.at))
            })
            .collect();
        Self { p50_ms: percentile_ms(&mut took, 50), p99_ms: percentile_ms(&mut took, 99) }
    }
}
