//! Rows of `messaging.parked`: events that wait for a retry, for a predecessor, or behind another event of
//! their key.

use std::time::Duration;

use envelope::{Envelope, Slot};
use sqlx::PgConnection;

use super::{
    MAX_STARTS,
    plan::Decision,
    received_event::{Key, ReceivedEvent},
};
use crate::{
    error::{Error, without_nul},
    naming::{routing_key, slots_of},
};

/// How long an event waits for its predecessor before it becomes a dead letter.
const GAP_TIMEOUT: Duration = Duration::from_mins(1);

/// How many parked events of one key are processed together.
const BATCH_SIZE: i64 = 256;

/// Why an event is parked whose type the program does not know.
const UNKNOWN: &str = "unknown_type";

/// How many events become due together when a program starts that knows their type.
const REVIVED: i64 = 5_000;

/// Parks events according to the decisions. An event that waits for a retry keeps its due time unless it was
/// retried, and a redelivered copy does not reset its attempts. The start of an event of an unknown type is taken
/// back: it was not passed to a handler.
pub(super) async fn park(
    connection: &mut PgConnection,
    consumer: &str,
    planned: &[(&ReceivedEvent, &Decision)],
) -> Result<(), Error> {
    for (event, decision) in planned {
        let (why, delay) = match decision {
            Decision::ParkUnknown => (UNKNOWN, None),
            Decision::ParkGap => ("gap", Some(GAP_TIMEOUT)),
            Decision::ParkBehind => ("behind", None),
            Decision::ParkDue => ("behind", Some(Duration::ZERO)),
            Decision::ParkRetry(delay) => ("retry", Some(*delay)),
            Decision::Duplicate
            | Decision::Late
            | Decision::Stale
            | Decision::Apply
            | Decision::Ignore
            | Decision::DeadLetter(_) => continue,
        };
        let envelope = &event.envelope;
        let slot = i16::from(Slot::of(&envelope.subject).number());
        sqlx::query!(
            r#"
            insert into messaging.parked as p
                (consumer, source, aggregate, key, seq, slot, why, kind, attempts, next_at, causes, envelope)
            values ($1, $2, $3, $4, $5, $6, $7, $12, $8, now() + make_interval(secs => $9::float8), $10, $11)
            on conflict (consumer, source, aggregate, key, seq) do update set
                why = excluded.why,
                kind = excluded.kind,
                starts = case when excluded.why = 'unknown_type' then greatest(p.starts - 1, 0) else p.starts end,
                attempts = greatest(p.attempts, excluded.attempts),
                next_at = excluded.next_at,
                causes = case when excluded.attempts < p.attempts then p.causes else excluded.causes end
            where excluded.why in ('retry', 'unknown_type') or p.why not in ('retry', 'unknown_type')
            "#,
            consumer,
            envelope.source,
            envelope.aggregate,
            envelope.subject,
            envelope.sequence,
            slot,
            why,
            i32::try_from(event.attempts).unwrap_or(i32::MAX),
            delay.map(|delay| delay.as_secs_f64()),
            &without_nul(&event.causes),
            serde_json::to_string(envelope)?,
            (why == UNKNOWN).then_some(envelope.kind.as_str()),
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Makes events of a slot group due that wait for a program that knows their type, if this one does. Returns
/// whether there may be more.
pub(super) async fn revive(
    connection: &mut PgConnection,
    consumer: &str,
    group: u8,
    known: &[&str],
) -> Result<bool, Error> {
    let revived = sqlx::query!(
        r#"
        update messaging.parked set next_at = now()
        where ctid in (
            select ctid from messaging.parked
            where consumer = $1 and kind = any($2) and slot = any($3) and why = 'unknown_type' and next_at is null
            limit $4
            for update skip locked
        )
        "#,
        consumer,
        known as &[&str],
        &slots(group),
        REVIVED,
    )
    .execute(connection)
    .await?
    .rows_affected();
    if revived > 0 {
        tracing::info!(consumer, revived, "parked events of a type that is known now are due");
    }
    Ok(i64::try_from(revived).unwrap_or(i64::MAX) >= REVIVED)
}

/// The slots of a slot group, as stored.
pub(super) fn slots(group: u8) -> Vec<i16> {
    slots_of(group).map(|slot| i16::from(slot.number())).collect()
}

/// The keys of a slot group with due events.
pub(super) async fn due_keys(
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

/// The time until an event of a slot group is due; `None` if no event has a due time.
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

pub(super) struct FirstParked {
    pub(super) sequence: i64,
    pub(super) is_due: bool,
    /// How often it was passed to its handler, including this start.
    pub(super) starts: i32,
    pub(super) event: ReceivedEvent,
}

/// Returns the first parked event of a key. Counts a start if it is due and the successor of event number
/// `last`.
pub(super) async fn first(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    (source, key): &Key,
    last: i64,
) -> Result<Option<FirstParked>, Error> {
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
    let event = received_event(&row.envelope, row.attempts, row.starts, row.causes)?;
    Ok(Some(FirstParked { sequence: row.seq, is_due: row.due, starts: row.starts, event }))
}

/// Restores an event from a parked row. The row has no route: relays publish to the exchange of their
/// service, with a routing key of aggregate and slot.
pub(super) fn received_event(
    envelope: &str,
    attempts: i32,
    starts: i32,
    causes: Vec<String>,
) -> Result<ReceivedEvent, Error> {
    let envelope: Envelope = serde_json::from_str(envelope)?;
    let slot = Slot::of(&envelope.subject).number();
    let route = (envelope.source.clone(), routing_key(&envelope.aggregate, slot));
    let attempts = u32::try_from(total_attempts(attempts, starts)).unwrap_or_default();
    Ok(ReceivedEvent { envelope, attempts, causes, route })
}

/// The number of attempts of a parked event. Usually these are its failures. After too many starts, each
/// start was an attempt that killed the process before it could record the failure.
fn total_attempts(attempts: i32, starts: i32) -> i32 {
    if starts > MAX_STARTS { attempts.max(MAX_STARTS) } else { attempts }
}

/// The first parked events of a key, in order; only the first if it was attempted before, because it may fail
/// slowly again. And if the process died, any event of the batch may be the reason: only single starts can
/// identify it.
pub(super) async fn events_of_key(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    (source, key): &Key,
) -> Result<Vec<ReceivedEvent>, Error> {
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
        BATCH_SIZE,
    )
    .fetch_all(connection)
    .await?;
    let is_single = rows.first().is_some_and(|row| row.starts > 1 || row.attempts > 0);
    rows.into_iter()
        .take(if is_single { 1 } else { usize::MAX })
        .map(|row| received_event(&row.envelope, row.attempts, row.starts, row.causes))
        .collect()
}

/// Takes back the last start of an event, which said nothing about it, and postpones the event by `delay`, so
/// that others have their turn.
pub(super) async fn postpone(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    (source, key): &Key,
    sequence: i64,
    delay: Duration,
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
        sequence,
        delay.as_secs_f64(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

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

/// Deletes the parked events of a key up to its cursor. If events remain, the key stays on hold and the first
/// of them becomes due; otherwise the key is free.
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
    // Only the first remaining event gets a due time: its own if it waits for a retry, now if it is the next
    // event, otherwise the end of the wait for its predecessor. A blocked key waits for an operator, and an event
    // that is a dead letter already waits for its predecessor without end. An event of an unknown type waits for a
    // program that knows it, see `revive`.
    sqlx::query!(
        r#"
        update messaging.parked p
        set next_at = case
            when c.hold = 'blocked' or p.seq > f.seq then null
            when p.why = 'unknown_type' or p.why = 'retry' and p.next_at is not null then p.next_at
            when p.seq = c.last + 1 then now()
            when exists (
                select from messaging.dead_letter d
                where d.consumer = $1 and d.aggregate = $2 and d.source = $3 and d.key = $4 and d.seq = p.seq
                    and d.state = 'pending'
            ) then null
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
        GAP_TIMEOUT.as_secs_f64(),
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
