//! The pace of operations on many letters.
//!
//! A call works for a limited time and returns where the next one continues. There is no background job and no row about it: the
//! caller sees every result, nothing runs on after the caller stops, concurrent callers share the work, and a crash leaves nothing to
//! recover but the letters themselves.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    list::{SelectedLetter, Selection, select_batch},
    locked_batch::LetterRef,
};
use crate::{error::Error, publish::outbox::Outbox};

/// The most letters of one transaction.
const BATCH_SIZE: u32 = 500;

/// The number of transactions per second at a low rate, so that it is even.
const BATCHES_PER_SECOND: u32 = 5;

/// The rate, the limits and the starting point of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The most letters per second, from 1.
    pub per_second: u32,
    /// The most letters of the call, from 1.
    pub at_most: u32,
    /// The longest duration of the call. The current batch is finished, which may take as long again if its letters are tried one by
    /// one.
    pub within: Duration,
    /// The last letter of the previous call.
    pub after: Option<Uuid>,
}

/// Iterates over the selected letters at a pace.
#[derive(Debug)]
pub(super) struct PacedScan {
    pace: Pace,
    began: Instant,
    tried: u32,
    after: Option<Uuid>,
    is_complete: bool,
}

impl PacedScan {
    pub(super) fn begin(pace: Pace) -> Self {
        let pace =
            Pace { per_second: pace.per_second.max(1), at_most: pace.at_most.max(1), ..pace };
        Self { pace, began: Instant::now(), tried: 0, after: pace.after, is_complete: false }
    }

    /// The next letters of the selection, all of one consumer and aggregate, and the last of them. `None` when the call should end.
    pub(super) async fn next_batch(
        &mut self,
        outbox: &Outbox,
        selection: &Selection,
    ) -> Result<Option<(SelectedLetter, Vec<LetterRef>)>, Error> {
        let Some(room) = self.room().await else { return Ok(None) };
        let mut selected = select_batch(outbox, selection, self.after, room).await?;
        let letters: Vec<LetterRef> = selected.iter().map(|one| one.letter.clone()).collect();
        let Some(last) = selected.pop() else {
            self.is_complete = true;
            return Ok(None);
        };
        self.tried = self.tried.saturating_add(u32::try_from(letters.len()).unwrap_or(u32::MAX));
        self.after = Some(last.letter.id);
        Ok(Some((last, letters)))
    }

    /// How many letters may be tried now; `None` when the call should end. It first waits as long as the rate requires, at the end of
    /// the call as well, so that the next call keeps the rate.
    async fn room(&self) -> Option<i64> {
        let Pace { per_second, at_most, within, .. } = self.pace;
        let due = Duration::from_secs_f64(f64::from(self.tried) / f64::from(per_second));
        tokio::time::sleep_until(self.began + due.min(within)).await;
        // The first batch is always tried, so every call makes progress.
        if self.tried > 0 && (self.began.elapsed() >= within || self.tried >= at_most) {
            return None;
        }
        let batch = (per_second / BATCHES_PER_SECOND).clamp(1, BATCH_SIZE);
        Some(i64::from(batch.min(at_most - self.tried)))
    }

    /// Records that nothing of the last batch was tried after `last`: the next call continues there.
    pub(super) const fn stop_at(&mut self, last: Uuid) {
        self.after = Some(last);
    }

    /// Where the next call continues.
    pub(super) const fn next(&self) -> Option<Uuid> {
        if self.is_complete { None } else { self.after }
    }
}
