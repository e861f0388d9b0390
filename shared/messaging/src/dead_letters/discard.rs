//! Discards dead letters.

use serde::Serialize;
use uuid::Uuid;

use super::{
    list::{Selection, count_selected},
    locked_batch::{LetterRef, LockedBatch, Resolution},
    pace::{Pace, PacedScan},
    redrive::{ResolveError, find_pending},
};
use crate::{error::Error, publish::outbox::Outbox};

/// The position of a call that ended before all unreadable letters were discarded.
const UNREADABLE: Uuid = Uuid::nil();

/// The result of [`discard_many`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DiscardReport {
    /// Discarded letters.
    pub discarded: u64,
    /// Letters that wait for another letter of their key outside the selection.
    pub not_yet: u64,
    /// Letters of the selection that are still pending.
    pub left: i64,
    /// The `after` of the next call; `None` when all letters of the selection have been tried.
    pub next: Option<Uuid>,
}

/// Discards a dead letter permanently: later events of its key proceed without it. If its predecessor is missing, the predecessor is
/// given up too, with everything in between.
pub async fn discard(outbox: &Outbox, id: Uuid) -> Result<(), ResolveError> {
    let found = find_pending(&mut *outbox.pool().acquire().await.map_err(Error::from)?, id).await;
    let selected = match found {
        Ok(selected) => selected,
        Err(ResolveError::NotRedrivable(_)) => {
            let all = Selection::default();
            let is_done = discard_unreadable(outbox, &all, Some(id), 1).await? > 0;
            return if is_done { Ok(()) } else { Err(ResolveError::NotPending(id)) };
        }
        Err(error) => return Err(error),
    };
    let letters = [selected.letter];
    let progress = discard_batch(outbox, &selected.consumer, &selected.aggregate, &letters).await?;
    match (progress.discarded, progress.last_not_yet) {
        (_, Some((sequence, last))) => Err(ResolveError::NotYet { sequence, last }),
        (0, None) => Err(ResolveError::NotPending(id)),
        (_, None) => Ok(()),
    }
}

/// Discards all selected dead letters permanently, those of a key in sequence. It works at the given pace; repeat it with `after`
/// until [`DiscardReport::next`] is `None`.
pub async fn discard_many(
    outbox: &Outbox,
    selection: &Selection,
    pace: Pace,
) -> Result<DiscardReport, Error> {
    let mut report = DiscardReport::default();
    let mut pace = pace;
    if pace.after.is_none_or(|after| after == UNREADABLE) {
        // Unreadable letters have no key and no order. They come first, at any rate: nothing waits for them.
        report.discarded = discard_unreadable(outbox, selection, None, pace.at_most).await?;
        let room = pace.at_most.saturating_sub(u32::try_from(report.discarded).unwrap_or(u32::MAX));
        if room == 0 {
            report.left = count_selected(&mut *outbox.pool().acquire().await?, selection).await?;
            report.next = (report.left > 0).then_some(UNREADABLE);
            return Ok(report);
        }
        pace = Pace { after: None, at_most: room, ..pace };
    }
    let mut scan = PacedScan::begin(pace);
    while let Some((last, letters)) = scan.next_batch(outbox, selection).await? {
        let progress = discard_batch(outbox, &last.consumer, &last.aggregate, &letters).await?;
        report.discarded += progress.discarded;
        report.not_yet += progress.not_yet;
    }
    report.left = count_selected(&mut *outbox.pool().acquire().await?, selection).await?;
    report.next = scan.next();
    Ok(report)
}

#[derive(Debug, Default)]
struct Progress {
    discarded: u64,
    not_yet: u64,
    /// Of the last letter that could not be discarded: its number, and the last number that was applied.
    last_not_yet: Option<(i64, i64)>,
}

async fn discard_batch(
    outbox: &Outbox,
    consumer: &str,
    aggregate: &str,
    letters: &[LetterRef],
) -> Result<Progress, Error> {
    let mut tx = outbox.begin().await?;
    let batch = LockedBatch::open(&mut tx, consumer, aggregate, letters).await?;
    let (mut progress, mut resolved) = (Progress::default(), Vec::new());
    let mut after = batch.keys.clone();
    for letter in &batch.letters {
        let sequence = letter.event.envelope.sequence;
        let Some(key) = after.get_mut(&letter.event.key()) else { continue };
        if key.discard(sequence) {
            progress.discarded += 1;
            resolved.push(letter.id);
        } else {
            progress.not_yet += 1;
            progress.last_not_yet = Some((sequence, key.position.last));
        }
    }
    batch.close(&mut tx, after, &resolved, Resolution::Discarded).await?;
    tx.commit().await?;
    outbox.parking_signal().send_replace(());
    Ok(progress)
}

/// Discards unreadable letters: those of the selection, or the one with this id. Returns their number.
async fn discard_unreadable(
    outbox: &Outbox,
    selection: &Selection,
    id: Option<Uuid>,
    at_most: u32,
) -> Result<u64, Error> {
    let done = sqlx::query!(
        r#"
        update messaging.dead_letter set state = 'discarded', resolved_at = now()
        where state = 'pending' and id in (
            select id from messaging.dead_letter
            where state = 'pending' and seq is null
                and ($1::text is null or consumer = $1) and ($2::text is null or reason = $2)
                and ($3::text is null or coalesce(kind, '') = $3) and ($4::text is null or cause = $4)
                and ($5::uuid is null or id = $5)
            limit $6
        )
        "#,
        selection.consumer.as_deref(),
        selection.reason.as_deref(),
        selection.kind.as_deref(),
        selection.cause.as_deref(),
        id,
        i64::from(at_most),
    )
    .execute(outbox.pool())
    .await?;
    Ok(done.rows_affected())
}
