//! Events that wait: rows of `messaging.parked`.

use std::time::Duration;

use envelope::{Envelope, Slot};
use sqlx::PgConnection;

use super::{
    MOST_STARTS,
    core::{Incoming, Key, Step},
};
use crate::{
    Error,
    error::printable,
    topology::{routing_key, slots_of},
};

/// How long a missing predecessor is waited for before the alarm is raised.
const GAP: Duration = Duration::from_mins(1);

/// How many parked events of one key are looked at together.
const TOGETHER: i64 = 256;

/// Parks what the plan says is to be parked. An event that waits for a retry keeps its pause unless it was tried again, and none
/// forgets by a copy of itself how often it was tried.
pub(super) async fn park(
    connection: &mut PgConnection,
    consumer: &str,
    planned: &[(&Incoming, &Step)],
) -> Result<(), Error> {
    for (incoming, step) in planned {
        let (why, pause) = match step {
            Step::ParkGap => ("gap", Some(GAP)),
            Step::ParkBehind => ("behind", None),
            Step::ParkDue => ("behind", Some(Duration::ZERO)),
            Step::ParkRetry(pause) => ("retry", Some(*pause)),
            Step::Duplicate | Step::Stale | Step::Apply | Step::Ignore | Step::Dead(_) => continue,
        };
        let envelope = &incoming.envelope;
        let slot = i16::from(Slot::of(&envelope.subject).number());
        sqlx::query!(
            r#"
            insert into messaging.parked as p
                (consumer, source, aggregate, key, seq, slot, why, attempts, next_at, causes, envelope)
            values ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9::float8), $10, $11)
            on conflict (consumer, source, aggregate, key, seq) do update set
                why = excluded.why,
                attempts = greatest(p.attempts, excluded.attempts),
                next_at = excluded.next_at,
                causes = case when excluded.attempts < p.attempts then p.causes else excluded.causes end
            where excluded.why = 'retry' or p.why <> 'retry'
            "#,
            consumer,
            envelope.source,
            envelope.aggregate,
            envelope.subject,
            envelope.sequence,
            slot,
            why,
            i32::try_from(incoming.attempts).unwrap_or(i32::MAX),
            pause.map(|pause| pause.as_secs_f64()),
            &printable(&incoming.causes),
            serde_json::to_string(envelope)?,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The slots of a slot group as the column has them.
pub(super) fn slots(group: u8) -> Vec<i16> {
    slots_of(group).map(|slot| i16::from(slot.number())).collect()
}

/// The keys of a slot group that have something due.
pub(super) async fn due(
    connection: &mut PgConnection,
    consumer: &str,
    group: u8,
) -> Result<Vec<Key>, Error> {
    let rows = sqlx::query!(
        r#"
        select source, key from messaging.parked
        where consumer = $1 and next_at <= now() and slot = any($2)
        group by source, key
        order by min(next_at)
        limit 200
        "#,
        consumer,
        &slots(group),
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.source, row.key)).collect())
}

/// How long until something of a slot group is due; `None` if nothing is parked with a time.
pub(super) async fn next_due(
    connection: &mut PgConnection,
    consumer: &str,
    group: u8,
) -> Result<Option<Duration>, Error> {
    let seconds = sqlx::query_scalar!(
        r#"
        select extract(epoch from min(next_at) - now())::float8
        from messaging.parked
        where consumer = $1 and next_at is not null and slot = any($2)
        "#,
        consumer,
        &slots(group),
    )
    .fetch_one(connection)
    .await?;
    Ok(seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)))
}

/// The first parked event of a key.
pub(super) struct First {
    /// Its number.
    pub(super) seq: i64,
    /// Whether its time has come.
    pub(super) due: bool,
    /// How often it has been handed to its handler, this time included.
    pub(super) starts: i32,
    /// Itself.
    pub(super) incoming: Incoming,
}

/// The first parked event of a key, and one more start in its books if its time has come and it is the next of its key:
/// `last` is the number before it.
pub(super) async fn first(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    (source, key): &Key,
    last: i64,
) -> Result<Option<First>, Error> {
    let row = sqlx::query!(
        r#"
        update messaging.parked p
        set starts = starts + (coalesce(next_at <= now(), false) and seq = $5::bigint + 1)::integer
        where consumer = $1 and aggregate = $2 and source = $3 and key = $4 and seq = (
            select min(seq) from messaging.parked
            where consumer = $1 and aggregate = $2 and source = $3 and key = $4
        )
        returning seq, coalesce(next_at <= now(), false) as "due!", starts, envelope, attempts, causes
        "#,
        consumer,
        aggregate,
        source,
        key,
        last,
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let incoming = incoming(&row.envelope, row.attempts, row.starts, row.causes)?;
    Ok(Some(First { seq: row.seq, due: row.due, starts: row.starts, incoming }))
}

/// A parked row as an event on its way. Which way it came is not written down there, for the envelope tells: relays publish to the
/// exchange of their service, by aggregate and slot.
pub(super) fn incoming(
    envelope: &str,
    attempts: i32,
    starts: i32,
    causes: Vec<String>,
) -> Result<Incoming, Error> {
    let envelope: Envelope = serde_json::from_str(envelope)?;
    let slot = Slot::of(&envelope.subject).number();
    let route = (envelope.source.clone(), routing_key(&envelope.aggregate, slot));
    let attempts = u32::try_from(tried(attempts, starts)).unwrap_or_default();
    Ok(Incoming { envelope, attempts, causes, route })
}

/// How often a parked event was tried: as often as it failed. What is given up after too many starts was tried each time, but there
/// was no process left to count the failure.
fn tried(attempts: i32, starts: i32) -> i32 {
    if starts > MOST_STARTS { attempts.max(MOST_STARTS) } else { attempts }
}

/// The first parked events of a key, in order; the first alone if it was tried before. It may fail again, and take its time for it. And
/// where the process died, that may have been any of those that were tried with it: as long as they are, the starts of the first say
/// nothing about it, and an event over which the process dies would never be the one that is given up.
pub(super) async fn of_key(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    (source, key): &Key,
) -> Result<Vec<Incoming>, Error> {
    let rows = sqlx::query!(
        r#"
        select envelope, attempts, starts, causes from messaging.parked
        where consumer = $1 and aggregate = $2 and source = $3 and key = $4
        order by seq
        limit $5
        "#,
        consumer,
        aggregate,
        source,
        key,
        TOGETHER,
    )
    .fetch_all(connection)
    .await?;
    let is_alone = rows.first().is_some_and(|row| row.starts > 1 || row.attempts > 0);
    rows.into_iter()
        .take(if is_alone { 1 } else { usize::MAX })
        .map(|row| incoming(&row.envelope, row.attempts, row.starts, row.causes))
        .collect()
}

/// Takes the last start of an event back, for it said nothing about the event, and lets it rest for `pause`, so that others have
/// their turn.
pub(super) async fn postpone(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    (source, key): &Key,
    seq: i64,
    pause: Duration,
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        update messaging.parked
        set starts = greatest(starts - 1, 0), next_at = now() + make_interval(secs => $6::float8)
        where consumer = $1 and aggregate = $2 and source = $3 and key = $4 and seq = $5
        "#,
        consumer,
        aggregate,
        source,
        key,
        seq,
        pause.as_secs_f64(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes one event out of the parking place.
pub(super) async fn remove(
    connection: &mut PgConnection,
    consumer: &str,
    envelope: &Envelope,
) -> Result<(), Error> {
    sqlx::query!(
        "delete from messaging.parked where consumer = $1 and aggregate = $2 and source = $3 and key = $4 and seq = $5",
        consumer,
        envelope.aggregate,
        envelope.source,
        envelope.subject,
        envelope.sequence,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes away the parked events of a key that are dealt with: all up to its cursor. What remains keeps the key on hold, and its
/// first is looked at next; otherwise the key is free.
pub(crate) async fn settle(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    (source, key): &Key,
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        delete from messaging.parked p using messaging.cursor c
        where p.consumer = $1 and p.aggregate = $2 and p.source = $3 and p.key = $4
            and c.consumer = $1 and c.aggregate = $2 and c.source = $3 and c.key = $4
            and p.seq <= c.last
        "#,
        consumer,
        aggregate,
        source,
        key,
    )
    .execute(&mut *connection)
    .await?;
    // Of what remains, the first alone is looked at: at its own time if it waits for a retry, at once if it is the next, else
    // when its predecessor has been waited for long enough. A blocked key waits for people.
    sqlx::query!(
        r#"
        update messaging.parked p
        set next_at = case
            when c.hold = 'blocked' or p.seq > f.seq then null
            when p.why = 'retry' and p.next_at is not null then p.next_at
            when p.seq = c.last + 1 then now()
            when p.why = 'gap' and p.next_at is not null then p.next_at
            else now() + make_interval(secs => $5::float8)
        end
        from messaging.cursor c, (
            select min(seq) as seq from messaging.parked
            where consumer = $1 and aggregate = $2 and source = $3 and key = $4
        ) f
        where p.consumer = $1 and p.aggregate = $2 and p.source = $3 and p.key = $4
            and c.consumer = $1 and c.aggregate = $2 and c.source = $3 and c.key = $4
            and (p.next_at is not null or p.seq = f.seq)
        "#,
        consumer,
        aggregate,
        source,
        key,
        GAP.as_secs_f64(),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        r#"
        update messaging.cursor set hold = case
            when exists (
                select from messaging.parked
                where consumer = $1 and aggregate = $2 and source = $3 and key = $4
            ) then 'parked' else 'free' end
        where consumer = $1 and aggregate = $2 and source = $3 and key = $4 and hold <> 'blocked'
        "#,
        consumer,
        aggregate,
        source,
        key,
    )
    .execute(connection)
    .await?;
    Ok(())
}
