//! Workloads through the whole pipeline: transaction, outbox, relay, broker, consumer, committed effect.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use rand::{SeedableRng as _, rngs::StdRng};
use suite::percentile_ms;
use testkit::DataDir;
use tokio::task::JoinSet;

use super::{
    harness::{FaultyEvents, Harness},
    item::{Items, emit_one, update_item},
    postgres_cost::{Cost, CostMeter},
};
use crate::{error::Error, services::RunningTask, statistics::rate};

/// The number of events of a throughput run.
const EVENTS: u64 = 200_000;

/// Events per transaction.
const EVENTS_PER_TRANSACTION: u64 = 100;

/// Concurrent writers.
const WRITERS: u64 = 2;

/// The rate of a latency run, in transactions per second with one event each, and its duration.
const PACE: (u32, Duration) = (500, Duration::from_secs(12));

/// The first events of a latency run do not count.
const WARM_UP: u64 = 1_000;

/// The time from the commit of an event to the commit of its effect.
pub(super) struct Latency {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// A run through the whole pipeline.
pub(super) struct Throughput {
    pub(super) events_per_second: f64,
    /// What one event cost PostgreSQL.
    pub(super) cost: Cost,
}

/// Events per second through the whole pipeline, all parts running concurrently.
pub(super) async fn throughput() -> Result<Throughput, Error> {
    throughput_of(Harness::open(0).await?).await
}

/// The same with signed messages.
pub(super) async fn signed_throughput() -> Result<Throughput, Error> {
    let keys = DataDir::temporary("message-keys")?;
    throughput_of(Harness::open(0).await?.signed(keys.path())?).await
}

async fn throughput_of(harness: Harness) -> Result<Throughput, Error> {
    let meter = CostMeter::start(harness.publisher.pool()).await?;
    let (relay, consumer) = (harness.start_relay(), harness.start_consumer());
    let started = Instant::now();
    Load::of(Items::ALL, EVENTS).write(&harness.publisher).await?;
    harness.effects.wait_for(EVENTS).await?;
    let elapsed = started.elapsed();
    // They finish their work: the relay has moved all events to the log.
    relay.stop().await;
    consumer.stop().await;
    let cost = meter.stop(harness.publisher.pool(), EVENTS).await?;
    harness.assert_complete(EVENTS).await?;
    Ok(Throughput { events_per_second: rate(EVENTS, elapsed), cost })
}

/// Events to emit as fast as possible.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) items: Items,
    /// Concurrent writers.
    pub(super) writers: u64,
    pub(super) events: u64,
    pub(super) events_per_transaction: u64,
}

impl Load {
    /// `events` events in the transactions of a throughput run.
    pub(super) const fn of(items: Items, events: u64) -> Self {
        Self { items, writers: WRITERS, events, events_per_transaction: EVENTS_PER_TRANSACTION }
    }

    /// Emits all events, the same ones each time.
    pub(super) async fn write(self, outbox: &messaging::Outbox) -> Result<(), Error> {
        let Self { items, writers, events, events_per_transaction: batch } = self;
        let mut running = JoinSet::new();
        for writer in 0..writers {
            let outbox = outbox.clone();
            let batches = (writer..events / batch).step_by(usize::try_from(writers).unwrap_or(1));
            running.spawn(async move {
                let mut rng = StdRng::seed_from_u64(writer);
                for index in batches {
                    let numbers = index * batch..(index + 1) * batch;
                    write_batch(&outbox, items, &mut rng, numbers).await?;
                }
                Ok::<_, Error>(())
            });
        }
        while let Some(written) = running.join_next().await {
            written.map_err(|_| Error::Timeout("a writer finishes"))??;
        }
        Ok(())
    }
}

/// One transaction: updates items and emits one event for each.
async fn write_batch(
    outbox: &messaging::Outbox,
    items: Items,
    rng: &mut StdRng,
    numbers: std::ops::Range<u64>,
) -> Result<(), Error> {
    let mut items: Vec<String> = numbers.clone().map(|_| items.random(rng)).collect();
    // Rows are locked in one order, each once.
    items.sort_unstable();
    let mut rows = items.clone();
    rows.dedup();
    let mut tx = outbox.begin().await?;
    sqlx::query(
        "insert into item (id, version) select unnest($1::text[]), 1
         on conflict (id) do update set version = item.version + 1",
    )
    .bind(rows)
    .execute(&mut *tx)
    .await?;
    for (item, number) in items.into_iter().zip(numbers) {
        emit_one(&mut tx, item, number)?;
    }
    Ok(tx.commit().await?)
}

/// The latency at a moderate constant rate.
pub(super) async fn latency() -> Result<Latency, Error> {
    let harness = Harness::open(usize::try_from(paced()).unwrap_or_default()).await?;
    let published = run_at_pace(&harness, harness.start_consumer(), paced()).await?;
    harness.assert_complete(paced()).await?;
    Ok(Latency::of(&harness, published.iter()))
}

/// The latency while some events fail: of the events on keys without failures.
pub(super) async fn latency_with_faults() -> Result<Latency, Error> {
    let harness = Harness::open(usize::try_from(paced()).unwrap_or_default()).await?;
    let handled = (0..paced()).filter(|number| !FaultyEvents::is_poison(*number)).count();
    let handled = u64::try_from(handled).unwrap_or_default();
    let published = run_at_pace(&harness, harness.start_faulty_consumer(), handled).await?;
    let faulty: HashSet<&str> = published
        .iter()
        .filter(|one| FaultyEvents::is_faulty(one.number))
        .map(|one| one.item.as_str())
        .collect();
    let others = published.iter().filter(|one| !faulty.contains(one.item.as_str()));
    Ok(Latency::of(&harness, others))
}

/// The number of transactions of a latency run.
fn paced() -> u64 {
    u64::from(PACE.0) * PACE.1.as_secs()
}

/// An event whose transaction has committed.
struct Committed {
    number: u64,
    item: String,
    at: Instant,
}

/// Publishes events at the constant rate until `effects` effects are committed.
async fn run_at_pace(
    harness: &Harness,
    consumer: RunningTask,
    effects: u64,
) -> Result<Vec<Committed>, Error> {
    let relay = harness.start_relay();
    let published = publish_at_pace(harness).await?;
    harness.effects.wait_for(effects).await?;
    relay.stop().await;
    consumer.stop().await;
    Ok(published)
}

/// Emits events at the constant rate, one per transaction.
async fn publish_at_pace(harness: &Harness) -> Result<Vec<Committed>, Error> {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / PACE.0);
    let mut writers = JoinSet::new();
    let mut rng = StdRng::seed_from_u64(0);
    for number in 0..paced() {
        pace.tick().await;
        let (outbox, item) = (harness.publisher.clone(), Items::ALL.random(&mut rng));
        writers.spawn(async move {
            let mut tx = outbox.begin().await?;
            update_item(&mut tx, &item).await?;
            emit_one(&mut tx, item.clone(), number)?;
            tx.commit().await?;
            Ok::<_, Error>(Committed { number, item, at: Instant::now() })
        });
    }
    let mut published = Vec::new();
    while let Some(written) = writers.join_next().await {
        published.push(written.map_err(|_| Error::Timeout("a writer finishes"))??);
    }
    Ok(published)
}

impl Latency {
    /// The latency of these events, without the warm-up.
    fn of<'a>(harness: &Harness, published: impl Iterator<Item = &'a Committed>) -> Self {
        let mut latencies: Vec<Duration> = published
            .filter(|one| one.number >= WARM_UP)
            // The effect may be committed before the writer sees its own commit: then the latency is zero.
            .filter_map(|one| {
                let effect = harness.effects.time_of(usize::try_from(one.number).ok()?)?;
                Some(effect.saturating_duration_since(one.at))
            })
            .collect();
        Self {
            p50_ms: percentile_ms(&mut latencies, 50),
            p99_ms: percentile_ms(&mut latencies, 99),
        }
    }
}
