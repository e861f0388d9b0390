//! A fixed batch size beside one that adapts, with a handler that is fast and one that is slow.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use messaging::{BatchSize, Dispatch};

use super::stage::{Stage, say};
use crate::{bench::figures::percentile_ms, failure::Failure};

/// How often somebody edits something while bulk work is done.
const EDIT_EVERY: Duration = Duration::from_millis(50);

/// What a batch size comes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) events_per_second: f64,
    /// How long an edit took that came while the backlog was worked off.
    pub(super) edit_p99_ms: f64,
}

/// Works a backlog of `bulk` events off, and small edits that come meanwhile.
pub(super) async fn measure(
    size: BatchSize,
    per_event: Duration,
    bulk: usize,
) -> Result<Outcome, Failure> {
    let dispatch = Dispatch::PriorityClasses { normal_per_bulk: NonZeroU32::MIN.saturating_add(7) };
    let stage = Stage::open(dispatch, size, per_event).await?;
    stage.pile_up(bulk).await?;
    let (listening, began) = (stage.listen(), Instant::now());
    let mut said = Vec::new();
    let all = async {
        let seen = stage.witness.wait_for(bulk).await?;
        Ok::<_, Failure>(seen.last().map_or(began, |(_, at)| *at))
    };
    let edit = async {
        for number in bulk.. {
            tokio::time::sleep(EDIT_EVERY).await;
            let mut tx = stage.speaker.begin().await?;
            say(&mut tx, number, true)?;
            tx.commit().await?;
            said.push(Instant::now());
        }
        Ok::<_, Failure>(())
    };
    let done = tokio::select! {
        done = all => done?,
        edited = edit => { edited?; began }
    };
    let took = done.duration_since(began);
    let seen = stage.witness.wait_for(bulk + said.len()).await?;
    let mut waits: Vec<Duration> = seen
        .iter()
        .filter_map(|(number, at)| {
            Some(at.saturating_duration_since(*said.get(number.checked_sub(bulk)?)?))
        })
        .collect();
    stage.close(listening).await;
    let events = f64::from(u32::try_from(bulk).unwrap_or(u32::MAX));
    Ok(Outcome {
        events_per_second: events / took.as_secs_f64(),
        edit_p99_ms: percentile_ms(&mut waits, 99),
    })
}
