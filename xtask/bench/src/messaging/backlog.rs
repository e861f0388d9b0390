//! A backlog of a million events: the throughput of the relay alone, then of the consumers alone.

use std::time::{Duration, Instant};

use super::{harness::Harness, item::Items, workload::Load};
use crate::{error::Error, services::wait_until_outbox_is_empty, statistics::rate};

const ROWS: u64 = 1_000_000;

/// Events per transaction while the outbox is filled.
const EVENTS_PER_TRANSACTION: u64 = 1_000;

/// Concurrent writers.
const WRITERS: u64 = 4;

/// Timeout until the outbox is empty.
const TIMEOUT: Duration = Duration::from_mins(5);

pub(super) struct Backlog {
    pub(super) drained_per_second: f64,
    pub(super) consumed_per_second: f64,
}

/// Fills the outbox, then runs the relay alone, then the consumers alone.
pub(super) async fn measure() -> Result<Backlog, Error> {
    let harness = Harness::open(0).await?;
    let load = Load {
        items: Items::ALL,
        writers: WRITERS,
        events: ROWS,
        events_per_transaction: EVENTS_PER_TRANSACTION,
    };
    load.write(&harness.publisher).await?;

    let started = Instant::now();
    let relay = harness.start_relay();
    wait_until_outbox_is_empty(&harness.publisher, TIMEOUT).await?;
    let drained_per_second = rate(ROWS, started.elapsed());
    relay.stop().await;

    let started = Instant::now();
    let consumer = harness.start_consumer();
    harness.effects.wait_for(ROWS).await?;
    let consumed_per_second = rate(ROWS, started.elapsed());
    harness.assert_complete(ROWS).await?;
    consumer.stop().await;
    Ok(Backlog { drained_per_second, consumed_per_second })
}
