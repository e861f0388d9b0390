//! A fixed and an adaptive batch size, with a fast and a slow handler.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use messaging::{BatchSize, Dispatch};
use suite::percentile_ms;

use super::harness::{Harness, emit_change};
use crate::error::Error;

/// The interval of small edits during bulk work.
const EDIT_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy)]
pub(super) struct BatchFigures {
    pub(super) events_per_second: f64,
    /// The latency of edits during the backlog.
    pub(super) edit_p99_ms: f64,
}

/// Consumes a backlog of `bulk` events while small edits arrive.
pub(super) async fn measure(
    size: BatchSize,
    per_event: Duration,
    bulk: usize,
) -> Result<BatchFigures, Error> {
    let dispatch = Dispatch::PriorityClasses { normal_per_bulk: NonZeroU32::MIN.saturating_add(7) };
    let harness = Harness::open(dispatch, size, per_event).await?;
    harness.fill_queue(bulk).await?;
    let (consumer, started) = (harness.start_consumer(), Instant::now());
    let mut edits = Vec::new();
    let all = async {
        let effects = harness.effects.wait_for(bulk).await?;
        Ok::<_, Error>(effects.last().map_or(started, |(_, at)| *at))
    };
    let edit = async {
        for number in bulk.. {
            tokio::time::sleep(EDIT_INTERVAL).await;
            let mut tx = harness.publisher.begin().await?;
            emit_change(&mut tx, number, true)?;
            tx.commit().await?;
            edits.push(Instant::now());
        }
        Ok::<_, Error>(())
    };
    let done = tokio::select! {
        done = all => done?,
        edited = edit => { edited?; started }
    };
    let elapsed = done.duration_since(started);
    let effects = harness.effects.wait_for(bulk + edits.len()).await?;
    let mut waits: Vec<Duration> = effects
        .iter()
        .filter_map(|(number, at)| {
            Some(at.saturating_duration_since(*edits.get(number.checked_sub(bulk)?)?))
        })
        .collect();
    harness.close(consumer).await;
    let events = f64::from(u32::try_from(bulk).unwrap_or(u32::MAX));
    Ok(BatchFigures {
        events_per_second: events / elapsed.as_secs_f64(),
        edit_p99_ms: percentile_ms(&mut waits, 99),
    })
}
