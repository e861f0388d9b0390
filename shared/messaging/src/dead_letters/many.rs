//! How fast many letters are dealt with.
//!
//! A call works for a bounded time and says where the next one goes on. There is no work in the background and no row about it:
//! whoever asks sees what became of it, nothing goes on when they stop asking, two who ask at once share the work, and after a death
//! there is nothing to be found and taken up again but the letters themselves.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::{
    desk::Wanted,
    listing::{Pick, Selection, pick},
};
use crate::{Error, Outbox};

/// How many letters one transaction takes on at most.
const TOGETHER: u32 = 500;

/// How many transactions a second are aimed at where the rate is small, so that it is even.
const A_SECOND: u32 = 5;

/// How fast, how long and from where on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many letters a second at most, from 1.
    pub per_second: u32,
    /// How many letters in all at most, from 1.
    pub at_most: u32,
    /// How long at most; the batch that is in hand by then is finished, in as long again if its letters are tried one by one.
    pub within: Duration,
    /// The last letter of the call before.
    pub after: Option<Uuid>,
}

/// A walk along the selected letters at a pace.
#[derive(Debug)]
pub(super) struct Walk {
    pace: Pace,
    began: Instant,
    tried: u32,
    after: Option<Uuid>,
    is_over: bool,
}

impl Walk {
    pub(super) fn begin(pace: Pace) -> Self {
        let pace =
            Pace { per_second: pace.per_second.max(1), at_most: pace.at_most.max(1), ..pace };
        Self { pace, began: Instant::now(), tried: 0, after: pace.after, is_over: false }
    }

    /// The next letters of the selection, all of one consumer and aggregate, and the last of them with what these are. `None`
    /// when this call is to end.
    pub(super) async fn batch(
        &mut self,
        outbox: &Outbox,
        selection: &Selection,
    ) -> Result<Option<(Pick, Vec<Wanted>)>, Error> {
        let Some(room) = self.room().await else { return Ok(None) };
        let mut picked = pick(outbox, selection, self.after, room).await?;
        let wanted: Vec<Wanted> = picked.iter().map(|letter| letter.wanted.clone()).collect();
        let Some(last) = picked.pop() else {
            self.is_over = true;
            return Ok(None);
        };
        self.tried = self.tried.saturating_add(u32::try_from(wanted.len()).unwrap_or(u32::MAX));
        self.after = Some(last.wanted.id);
        Ok(Some((last, wanted)))
    }

    /// How many letters may be tried now. `None` when this call is to end. It waits first as long as what was tried so far is
    /// to take, also at the end, so that the next call keeps the rate as well.
    async fn room(&self) -> Option<i64> {
        let Pace { per_second, at_most, within, .. } = self.pace;
        let due = Duration::from_secs_f64(f64::from(self.tried) / f64::from(per_second));
        tokio::time::sleep_until(self.began + due.min(within)).await;
        // The first batch is always tried, so that every call gets on.
        if self.tried > 0 && (self.began.elapsed() >= within || self.tried >= at_most) {
            return None;
        }
        let batch = (per_second / A_SECOND).clamp(1, TOGETHER);
        Some(i64::from(batch.min(at_most - self.tried)))
    }

    /// Of the last batch nothing behind `last` was tried: the next call goes on there.
    pub(super) const fn stop_at(&mut self, last: Uuid) {
        self.after = Some(last);
    }

    /// Where the next call goes on.
    pub(super) const fn next(&self) -> Option<Uuid> {
        if self.is_over { None } else { self.after }
    }
}
