//! Rows of `messaging.parked`: events that wait for a retry, for a predecessor, for a program that knows their type, or
//! behind another event of their key.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use envelope::{Envelope, Slot};
use sqlx::PgConnection;

use super::{
    MAX_STARTS,
    plan::{Decision, Origin},
    received_event::{Key, ReceivedEvent},
};
use crate::{
    error::{Error, without_nul},
    naming::routing_key,
};

/// How long an event waits for its predecessor before it becomes a dead letter.
const GAP_TIMEOUT: Duration = Duration::from_mins(1);

/// How many parked events of one key are processed together.
const BATCH_SIZE: i64 = 256;

/// How many due events are read together.
const DUE_LIMIT: i64 = 200;

/// Why an event is parked whose type the program does not know.
const UNKNOWN: &str = "unknown_type";

/// How many events become due together when a program starts that knows their type.
const REVIVED: i64 = 5_000;

/// Parks events according to the decisions, in two statements at most. An event that waits for a retry keeps its due time
/// unless it was retried, and a redelivered copy changes nothing. The start of an event of an unknown type is taken back:
/// it was not passed to a handler. The due times of the others follow from [`settle`].
pub(super) async fn park(
    connection: &mut PgConnection,
    consumer: &str,
    planned: &[(&ReceivedEvent, &Decision)],
    origin: Origin,
) -> Result<(), Error> {
    let (mut attempted, mut new) = (Rows::default(), Rows::default());
    for (event, decision) in planned {
        let attempted = if origin == Origin::Parked { &mut attempted } else { &mut new };
        match decision {
            Decision::ParkRetry(delay) => attempted.insert(event, "retry", Some(*delay)),
            Decision::ParkUnknown => attempted.insert(event, UNKNOWN, None),
            Decision::ParkGap => new.insert(event, "gap", None),
            Decision::ParkBehind | Decision::ParkDue => new.insert(event, "behind", None),
            Decision::Duplicate
            | Decision::Late
            | Decision::Stale
            | Decision::Apply
            | Decision::Ignore
            | Decision::DeadLetter(_) => {}
        }
    }
    if !attempted.0.is_empty() {
        update_attempted(connection, consumer, &attempted).await?;
    }
    if !new.0.is_empty() {
        insert_new(connection, consumer, &new).await?;
    }
    Ok(())
}

/// Updates parked events that were attempted, and wait for a retry or for a program that knows their type.
async fn update_attempted(
    connection: &mut PgConnection,
    consumer: &str,
    rows: &Rows<'_>,
) -> Result<(), Error> {
    let Columns {
        sources,
        aggregates,
        keys,
        sequences,
        slots,
        whys,
        kinds,
        attempts,
        delays,
        causes,
        envelopes,
    } = rows.columns()?;
    sqlx::query!(
        r#"
        insert into messaging.parked as p
            (consumer, source, aggregate, key, seq, slot, why, kind, attempts, next_at, causes, envelope)
        select $1, u.source, u.aggregate, u.key, u.seq, u.slot, u.why, u.kind, u.attempts,
            now() + make_interval(secs => u.delay), array(select jsonb_array_elements_text(u.causes::jsonb)), u.envelope
        from unnest(
            $2::text[], $3::text[], $4::text[], $5::bigint[], $6::smallint[], $7::text[], $8::text[], $9::integer[],
            $10::float8[], $11::text[], $12::text[]
        ) as u (source, aggregate, key, seq, slot, why, kind, attempts, delay, causes, envelope)
        on conflict (consumer, source, aggregate, key, seq) do update set
            why = excluded.why,
            kind = excluded.kind,
            starts = case when excluded.why = 'unknown_type' then greatest(p.starts - 1, 0) else p.starts end,
            attempts = greatest(p.attempts, excluded.attempts),
            next_at = excluded.next_at,
            causes = case when excluded.attempts < p.attempts then p.causes else excluded.causes end
        "#,
        consumer,
        &sources as &[&str],
        &aggregates as &[&str],
        &keys as &[&str],
        &sequences,
        &slots,
        &whys as &[&str],
        &kinds as &[Option<&str>],
        &attempts,
        &delays as &[Option<f64>],
        &causes,
        &envelopes,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Inserts events unless they are parked already.
async fn insert_new(
    connection: &mut PgConnection,
    consumer: &str,
    rows: &Rows<'_>,
) -> Result<(), Error> {
    let Columns {
        sources,
        aggregates,
        keys,
        sequences,
        slots,
        whys,
        kinds,
        attempts,
        delays,
        causes,
        envelopes,
    } = rows.columns()?;
    // A running retry has locked the row of its event. An update would wait for it, and hold up the queue or end in a deadlock: the retry
    // needs the cursor that this transaction has locked.
    sqlx::query!(
        r#"
        insert into messaging.parked
            (consumer, source, aggregate, key, seq, slot, why, kind, attempts, next_at, causes, envelope)
        select $1, u.source, u.aggregate, u.key, u.seq, u.slot, u.why, u.kind, u.attempts,
            now() + make_interval(secs => u.delay), array(select jsonb_array_elements_text(u.causes::jsonb)), u.envelope
        from unnest(
            $2::text[], $3::text[], $4::text[], $5::bigint[], $6::smallint[], $7::text[], $8::text[], $9::integer[],
            $10::float8[], $11::text[], $12::text[]
        ) as u (source, aggregate, key, seq, slot, why, kind, attempts, delay, causes, envelope)
        on conflict (consumer, source, aggregate, key, seq) do nothing
        "#,
        consumer,
        &sources as &[&str],
        &aggregates as &[&str],
        &keys as &[&str],
        &sequences,
        &slots,
        &whys as &[&str],
        &kinds as &[Option<&str>],
        &attempts,
        &delays as &[Option<f64>],
        &causes,
        &envelopes,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Rows to insert by source, key and number: each once, in the order of their keys.
#[derive(Default)]
struct Rows<'a>(BTreeMap<(&'a str, &'a str, i64), Row<'a>>);

struct Row<'a> {
    event: &'a ReceivedEvent,
    why: &'static str,
    delay: Option<Duration>,
}

/// Rows as parallel arrays.
#[derive(Default)]
struct Columns<'a> {
    sources: Vec<&'a str>,
    aggregates: Vec<&'a str>,
    keys: Vec<&'a str>,
    sequences: Vec<i64>,
    slots: Vec<i16>,
    whys: Vec<&'static str>,
    kinds: Vec<Option<&'a str>>,
    attempts: Vec<i32>,
    delays: Vec<Option<f64>>,
    /// A JSON array per row: arrays of arrays must have one length.
    causes: Vec<String>,
    envelopes: Vec<String>,
}

impl<'a> Rows<'a> {
    fn insert(&mut self, event: &'a ReceivedEvent, why: &'static str, delay: Option<Duration>) {
        let Envelope { source, subject, sequence, .. } = &event.envelope;
        // A copy in the same batch changes nothing.
        self.0.entry((source, subject, *sequence)).or_insert(Row { event, why, delay });
    }

    fn columns(&self) -> Result<Columns<'a>, Error> {
        let mut columns = Columns::default();
        for ((source, key, sequence), Row { event, why, delay }) in &self.0 {
            let envelope = &event.envelope;
            columns.sources.push(source);
            columns.aggregates.push(&envelope.aggregate);
            columns.keys.push(key);
            columns.sequences.push(*sequence);
            columns.slots.push(i16::from(Slot::of(key).number()));
            columns.whys.push(why);
            columns.kinds.push((*why == UNKNOWN).then_some(&envelope.kind));
            columns.attempts.push(i32::try_from(event.attempts).unwrap_or(i32::MAX));
            columns.delays.push(delay.map(|delay| delay.as_secs_f64()));
            columns.causes.push(serde_json::to_string(&without_nul(&event.causes))?);
            columns.envelopes.push(serde_json::to_string(envelope)?);
        }
        Ok(columns)
    }
}

/// Makes events of these slots due that wait for a program that knows their type, if this one does. Returns
/// whether there may be more.
pub(crate) async fn revive(
    connection: &mut PgConnection,
    consumer: &str,
    slots: &[i16],
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
        slots,
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

/// The next events of some slots, by their keys.
#[derive(Debug, Default)]
pub(crate) struct DueKeys {
    /// The keys with due events, the longest due first, each once.
    pub(crate) keys: Vec<Key>,
    /// The time until the next event is due; `None` if none is known.
    pub(crate) next: Option<Duration>,
}

/// Reads the due events of these slots, and when the next one is due. It reads a bounded number of rows.
pub(crate) async fn due(
    connection: &mut PgConnection,
    consumer: &str,
    slots: &[i16],
) -> Result<DueKeys, Error> {
    // Within a slot, the index has the order.
    let rows = sqlx::query!(
        r#"
        select d.source as "source!", d.key as "key!", extract(epoch from d.next_at - now())::float8 as "wait!"
        from unnest($2::smallint[]) as s (slot)
        cross join lateral (
            (
                select p.source, p.key, p.next_at
                from messaging.parked p
                where p.consumer = $1 and p.slot = s.slot and p.next_at <= now()
                order by p.next_at
                limit $3
            )
            union all
            (
                select p.source, p.key, p.next_at
                from messaging.parked p
                where p.consumer = $1 and p.slot = s.slot and p.next_at > now()
                order by p.next_at
                limit 1
            )
        ) d
        order by d.next_at
        limit $3
        "#,
        consumer,
        slots,
        DUE_LIMIT,
    )
    .fetch_all(connection)
    .await?;
    let (mut seen, mut due) = (BTreeSet::new(), DueKeys::default());
    for row in rows {
        if row.wait > 0.0 {
            due.next = Duration::try_from_secs_f64(row.wait).ok();
            break;
        }
        let key = (row.source, row.key);
        if seen.insert(key.clone()) {
            due.keys.push(key);
        }
    }
    Ok(due)
}

pub(crate) struct FirstParked {
    pub(crate) sequence: i64,
    pub(crate) is_due: bool,
    /// How often it was passed to its handler, including this start.
    pub(crate) starts: i32,
    pub(crate) event: ReceivedEvent,
}

/// Returns the first parked event of a key, unless another process handles it now. Counts a start if it is due and the
/// successor of event number `last`.
pub(crate) async fn first(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    (source, key): &Key,
    last: i64,
) -> Result<Option<FirstParked>, Error> {
    let row = sqlx::query!(
        r#"
        with free as (
            select ctid from messaging.parked
            where consumer = $1 and aggregate = $2 and source = $3 and key = $4 and seq = (
                select seq from messaging.parked
                where consumer = $1 and aggregate = $2 and source = $3 and key = $4
                order by seq
                limit 1
            )
            for update skip locked
        )
        update messaging.parked p
        set starts = starts + (coalesce(next_at <= now(), false) and seq = $5::bigint + 1)::integer
        where ctid = (select ctid from free)
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
pub(crate) async fn events_of_key(
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

/// Locks a parked event that is handled now. Returns whether it is still parked, and free.
pub(super) async fn lock(
    connection: &mut PgConnection,
    consumer: &str,
    envelope: &Envelope,
) -> Result<bool, Error> {
    let found = sqlx::query_scalar!(
        r#"
        select true from messaging.parked
        where consumer = $1 and aggregate = $2 and source = $3 and key = $4 and seq = $5
        for update skip locked
        "#,
        consumer,
        envelope.aggregate,
        envelope.source,
        envelope.subject,
        envelope.sequence,
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.is_some())
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

/// Deletes the parked events of some keys up to their cursors, which are locked. Where events remain, the key stays on hold
/// and the first of them becomes due; otherwise the key is free. An event that is being retried is left alone, see the migration. It reads
/// a bounded number of rows per key.
pub(crate) async fn settle(
    connection: &mut PgConnection,
    consumer: &str,
    aggregate: &str,
    unsettled: impl IntoIterator<Item = &Key>,
) -> Result<(), Error> {
    let (sources, keys): (Vec<&str>, Vec<&str>) =
        unsettled.into_iter().map(|(source, key)| (source.as_str(), key.as_str())).unzip();
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"select messaging.settle_parked($1, $2, $3, $4, make_interval(secs => $5)) is null as "done!""#,
        consumer,
        aggregate,
        &sources as &[&str],
        &keys as &[&str],
        GAP_TIMEOUT.as_secs_f64(),
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeSet, HashMap},
        time::Duration,
    };

    use testkit::Database;

    use super::{lock, park, settle};
    use crate::{
        MIGRATOR,
        consume::{
            cursors,
            plan::{Decision, Hold, Origin, Position},
            received_event::tests::event,
        },
    };

    const CONSUMER: &str = "consumer";

    /// Whoever has locked the cursor must not wait for a running retry, which needs the cursor at its end.
    #[tokio::test]
    async fn nothing_waits_for_the_event_of_a_running_retry() {
        let database = Database::migrated(&[&MIGRATOR]).await.unwrap();
        let pool = database.connect().await.unwrap();
        let (event, decision) = (event("k", 1, "a"), Decision::ParkRetry(Duration::ZERO));
        let (planned, key) = ([(&event, &decision)], event.key());
        let mut connection = pool.acquire().await.unwrap();
        sqlx::raw_sql("set lock_timeout = '1s'").execute(&mut *connection).await.unwrap();
        park(&mut connection, CONSUMER, &planned, Origin::Queue).await.unwrap();
        let position = Position { last: 1, hold: Hold::Parked };
        let after = HashMap::from([(key.clone(), position)]);
        let before = HashMap::new();
        cursors::save(&mut connection, CONSUMER, "order", &before, &after).await.unwrap();

        let mut retry = pool.begin().await.unwrap();
        assert!(lock(&mut retry, CONSUMER, &event.envelope).await.unwrap());
        // A copy of the event arrives. Then an operator redrives its dead letter, so the cursor has passed it.
        park(&mut connection, CONSUMER, &planned, Origin::Queue).await.unwrap();
        settle(&mut connection, CONSUMER, "order", [&key]).await.unwrap();
        assert!(lock(&mut retry, CONSUMER, &event.envelope).await.unwrap());
        retry.rollback().await.unwrap();

        settle(&mut connection, CONSUMER, "order", [&key]).await.unwrap();
        assert!(!lock(&mut connection, CONSUMER, &event.envelope).await.unwrap());
        let keys = BTreeSet::from([key.clone()]);
        let positions = cursors::lock(&mut connection, CONSUMER, "order", &keys).await.unwrap();
        assert_eq!(positions[&key], Position { last: 1, hold: Hold::Free });
    }
}
