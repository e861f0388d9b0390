//! A million events that waited: how fast the relay alone carries them away, and how fast the consumers alone take them in.

use std::time::Instant;

use super::{flow::write_all, rate, stage::Stage};
use crate::{bench::services::wait_until_said, failure::Failure};

/// How many waited.
const ROWS: u64 = 1_000_000;

/// How many are written in one transaction while the backlog is made.
const SET: u64 = 1_000;

/// How many write at once.
const WRITERS: u64 = 4;

/// How long the outbox may take to become empty.
const DEADLINE: std::time::Duration = std::time::Duration::from_mins(5);

/// What was measured.
pub(super) struct Backlog {
    pub(super) drained_per_second: f64,
    pub(super) consumed_per_second: f64,
}

/// Fills the outbox, then lets the relay run alone, then the consumers.
pub(super) async fn measure() -> Result<Backlog, Failure> {
    let stage = Stage::open(0).await?;
    write_all(&stage.speaker, WRITERS, ROWS, SET).await?;

    let began = Instant::now();
    let speaking = stage.speak();
    wait_until_said(&stage.speaker, DEADLINE).await?;
    let drained_per_second = rate(ROWS, began.elapsed());
    speaking.stop().await;

    let began = Instant::now();
    let listening = stage.listen();
    stage.witness.wait_for(ROWS).await?;
    let consumed_per_second = rate(ROWS, began.elapsed());
    stage.assert_sound(ROWS).await?;
    listening.stop().await;
    Ok(Backlog { drained_per_second, consumed_per_second })
}
