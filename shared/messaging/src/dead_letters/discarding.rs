//! Giving dead letters up.

use serde::Serialize;
use uuid::Uuid;

use super::{
    desk::{Deal, Desk, Wanted},
    listing::{Selection, count_selected},
    many::{Pace, Walk},
    redriving::{Unresolved, pending},
};
use crate::{Error, Outbox};

/// Where a call goes on that was ended before all letters were given up that are no events.
const UNREADABLE: Uuid = Uuid::nil();

/// What a call to [`discard_many`] has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Discarded {
    /// How many are given up.
    pub discarded: u64,
    /// How many wait for another letter of their key that is not of the selection.
    pub not_yet: u64,
    /// How many of the selection are pending now.
    pub left: i64,
    /// Where to go on: the `after` of the next call. None when all of the selection have been tried.
    pub next: Option<Uuid>,
}

/// Gives a dead letter up for good: later events of its key go on without it. If it waited for a predecessor, that is given
/// up as well, with all between the two.
pub async fn discard(outbox: &Outbox, id: Uuid) -> Result<(), Unresolved> {
    let found = pending(&mut *outbox.pool().acquire().await.map_err(Error::from)?, id).await;
    let picked = match found {
        Ok(picked) => picked,
        Err(Unresolved::NotRedrivable(_)) => {
            let is_done = discard_unreadable(outbox, &Selection::default(), Some(id), 1).await? > 0;
            return if is_done { Ok(()) } else { Err(Unresolved::NotPending(id)) };
        }
        Err(unresolved) => return Err(unresolved),
    };
    let wanted = [picked.wanted];
    let tried = give_up(outbox, &picked.consumer, &picked.aggregate, &wanted).await?;
    match (tried.given_up, tried.held_back) {
        (_, Some((sequence, last))) => Err(Unresolved::NotYet { sequence, last }),
        (0, None) => Err(Unresolved::NotPending(id)),
        (_, None) => Ok(()),
    }
}

/// Gives all selected dead letters up for good, those of a key in the order of their numbers. It works for as long as the pace
/// says, and is called again with `after` until [`Discarded::next`] is none.
pub async fn discard_many(
    outbox: &Outbox,
    selection: &Selection,
    pace: Pace,
) -> Result<Discarded, Error> {
    let mut tally = Discarded::default();
    let mut pace = pace;
    if pace.after.is_none_or(|after| after == UNREADABLE) {
        // What is no event has no key, and no place among those that have. It goes first, at any rate: nothing waits for it.
        tally.discarded = discard_unreadable(outbox, selection, None, pace.at_most).await?;
        let room = pace.at_most.saturating_sub(u32::try_from(tally.discarded).unwrap_or(u32::MAX));
        if room == 0 {
            tally.left = count_selected(&mut *outbox.pool().acquire().await?, selection).await?;
            tally.next = (tally.left > 0).then_some(UNREADABLE);
            return Ok(tally);
        }
        pace = Pace { after: None, at_most: room, ..pace };
    }
    let mut walk = Walk::begin(pace);
    while let Some((last, wanted)) = walk.batch(outbox, selection).await? {
        let tried = give_up(outbox, &last.consumer, &last.aggregate, &wanted).await?;
        tally.discarded += tried.given_up;
        tally.not_yet += tried.not_yet;
    }
    tally.left = count_selected(&mut *outbox.pool().acquire().await?, selection).await?;
    tally.next = walk.next();
    Ok(tally)
}

/// What giving some letters up has come to.
#[derive(Debug, Default)]
struct Tried {
    given_up: u64,
    not_yet: u64,
    /// Of the last that could not be: its number, and the last one that took effect.
    held_back: Option<(i64, i64)>,
}

async fn give_up(
    outbox: &Outbox,
    consumer: &str,
    aggregate: &str,
    wanted: &[Wanted],
) -> Result<Tried, Error> {
    let mut tx = outbox.begin().await?;
    let desk = Desk::open(&mut tx, consumer, aggregate, wanted).await?;
    let (mut tried, mut dealt) = (Tried::default(), Vec::new());
    let mut after = desk.dockets.clone();
    for letter in &desk.letters {
        let sequence = letter.incoming.envelope.sequence;
        let Some(docket) = after.get_mut(&letter.incoming.key()) else { continue };
        if docket.discard(sequence) {
            tried.given_up += 1;
            dealt.push(letter.id);
        } else {
            tried.not_yet += 1;
            tried.held_back = Some((sequence, docket.position.last));
        }
    }
    desk.close(&mut tx, after, &dealt, Deal::Discarded).await?;
    tx.commit().await?;
    outbox.unparked().send_replace(());
    Ok(tried)
}

/// Gives up letters that are no events: those that fit, or the one of this id. How many there were.
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
