//! Rows of `messaging.outbox`: events that are committed but not yet confirmed by the broker.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use envelope::Priority;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{partition::Partition, pending_event::PendingEvent};
use crate::error::Error;

#[derive(Debug, Clone)]
pub(crate) struct OutboxRow {
    pub(crate) id: i64,
    pub(crate) event_id: Uuid,
    pub(crate) kind: String,
    pub(crate) aggregate: String,
    pub(crate) key: String,
    pub(crate) slot: i16,
    pub(crate) seq: i64,
    pub(crate) time: DateTime<Utc>,
    pub(crate) traceparent: Option<String>,
    /// Whether the event has bulk priority.
    pub(crate) bulk: bool,
    pub(crate) data: String,
}

/// A confirmed message, for the log.
#[derive(Debug)]
pub(crate) struct LoggedMessage<'a> {
    pub(crate) aggregate: &'a str,
    pub(crate) slot: i16,
    pub(crate) position: i64,
    /// The number of events in the body; none if the position is unused.
    pub(crate) events: i32,
    pub(crate) body: &'a [u8],
}

/// What a round adds to the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log<'a> {
    pub(crate) messages: &'a [LoggedMessage<'a>],
    /// The last position of each partition, in the order of the partitions.
    pub(crate) last: &'a [(Partition, i64)],
}

impl OutboxRow {
    pub(crate) fn partition(&self) -> Partition {
        Partition { aggregate: self.aggregate.clone(), slot: self.slot }
    }
}

/// Numbers the events of each key and inserts all events, in one statement.
pub(crate) async fn append(
    connection: &mut PgConnection,
    events: &[PendingEvent],
) -> Result<(), Error> {
    match events {
        [] => Ok(()),
        [one] => append_one(connection, one).await,
        many => append_many(connection, many).await,
    }
}

/// Like [`append_many`], with a plan that starts faster: most transactions emit a single event.
async fn append_one(connection: &mut PgConnection, event: &PendingEvent) -> Result<(), Error> {
    sqlx::query!(
        r#"
        with bumped as (
            insert into messaging.sequence as s (aggregate, key, last) values ($1, $2, 1)
            on conflict (aggregate, key) do update set last = s.last + 1
            returning last
        )
        insert into messaging.outbox (event_id, kind, aggregate, key, slot, seq, time, traceparent, bulk, data)
        select $3, $4, $1, $2, $5, last, clock_timestamp(), $6, $7, $8
        from bumped
        "#,
        event.aggregate,
        event.key,
        event.id.as_uuid(),
        event.kind,
        i16::from(event.slot.number()),
        event.traceparent,
        event.priority == Priority::Bulk,
        event.data,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Locks the rows of `messaging.sequence` in key order, so two transactions never deadlock. Row ids are
/// assigned while these locks are held, so within a key the order of ids is the order of the sequence.
async fn append_many(connection: &mut PgConnection, events: &[PendingEvent]) -> Result<(), Error> {
    let Numbering { keys, counts, ranks, followers } = Numbering::of(events);
    let key_aggregates: Vec<&str> = keys.iter().map(|(aggregate, _)| *aggregate).collect();
    let keys: Vec<&str> = keys.iter().map(|(_, key)| *key).collect();
    let ids: Vec<Uuid> = events.iter().map(|event| event.id.as_uuid()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind).collect();
    let aggregates: Vec<&str> = events.iter().map(|event| event.aggregate).collect();
    let event_keys: Vec<&str> = events.iter().map(|event| event.key.as_str()).collect();
    let slots: Vec<i16> = events.iter().map(|event| i16::from(event.slot.number())).collect();
    let traces: Vec<Option<&str>> =
        events.iter().map(|event| event.traceparent.as_deref()).collect();
    let bulk: Vec<bool> = events.iter().map(|event| event.priority == Priority::Bulk).collect();
    let data: Vec<&str> = events.iter().map(|event| event.data.as_str()).collect();
    // The new sequence numbers are returned as one array in key order, and each event has its index: a join
    // would be quadratic.
    sqlx::query!(
        r#"
        with bumped as (
            insert into messaging.sequence as s (aggregate, key, last)
            select * from unnest($1::text[], $2::text[], $3::bigint[])
            on conflict (aggregate, key) do update set last = s.last + excluded.last
            returning aggregate, key, last
        ), numbers as (
            select array_agg(last order by aggregate collate "C", key collate "C") as last from bumped
        )
        insert into messaging.outbox (event_id, kind, aggregate, key, slot, seq, time, traceparent, bulk, data)
        select event_id, kind, aggregate, key, slot, numbers.last[place] - back, clock_timestamp(), traceparent, bulk, data
        from numbers, unnest(
            $4::uuid[], $5::text[], $6::text[], $7::text[], $8::smallint[], $9::text[], $10::boolean[], $11::text[],
            $12::integer[], $13::bigint[]
        ) with ordinality as e (event_id, kind, aggregate, key, slot, traceparent, bulk, data, place, back, position)
        order by position
        "#,
        &key_aggregates as &[&str],
        &keys as &[&str],
        &counts,
        &ids,
        &kinds as &[&str],
        &aggregates as &[&str],
        &event_keys as &[&str],
        &slots,
        &traces as &[Option<&str>],
        &bulk,
        &data as &[&str],
        &ranks,
        &followers,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How many sequence numbers each key gets, and which of them each event gets.
#[derive(Debug, PartialEq, Eq)]
struct Numbering<'a> {
    /// Each (aggregate, key) once, in byte order.
    keys: Vec<(&'a str, &'a str)>,
    /// The number of events of each of `keys`.
    counts: Vec<i64>,
    /// For each event, the index of its key in `keys`, from 1.
    ranks: Vec<i32>,
    /// For each event, the number of later events of its key.
    followers: Vec<i64>,
}

impl<'a> Numbering<'a> {
    fn of(events: &'a [PendingEvent]) -> Self {
        let mut counted: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        let of_key: Vec<i64> = events
            .iter()
            .map(|event| {
                let count = counted.entry((event.aggregate, event.key.as_str())).or_insert(0);
                *count += 1;
                *count
            })
            .collect();
        let (keys, counts): (Vec<_>, Vec<_>) = counted.into_iter().unzip();
        let rank =
            |event: &PendingEvent| keys.partition_point(|key| *key < (event.aggregate, &event.key));
        let ranks: Vec<usize> = events.iter().map(rank).collect();
        let followers =
            ranks.iter().zip(of_key).map(|(rank, of_key)| counts[*rank] - of_key).collect();
        let ranks = ranks.into_iter().map(|rank| i32::try_from(rank + 1).unwrap_or(i32::MAX));
        Self { ranks: ranks.collect(), followers, keys, counts }
    }
}

/// Reads the oldest rows in order: at most `limit` rows and about `bytes` bytes of data, without the partitions in
/// `suspended`.
pub(crate) async fn read(
    connection: &mut PgConnection,
    suspended: &[Partition],
    limit: i64,
    bytes: i64,
) -> Result<Vec<OutboxRow>, Error> {
    let (aggregates, slots) = columns(suspended);
    let rows = sqlx::query_as!(
        OutboxRow,
        r#"
        select id as "id!", event_id as "event_id!", kind as "kind!", aggregate as "aggregate!", key as "key!",
            slot as "slot!", seq as "seq!", time as "time!", traceparent, bulk as "bulk!", data as "data!"
        from (
            select *, sum(octet_length(data)) over (order by id) - octet_length(data) as bytes_before
            from (
                select * from messaging.outbox
                where (aggregate, slot) not in (select * from unnest($1::text[], $2::smallint[]))
                order by id
                limit $3
            ) oldest
        ) measured
        where bytes_before < $4
        order by id
        "#,
        &aggregates as &[&str],
        &slots,
        limit,
        bytes,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Reads the oldest row of each of these partitions.
pub(crate) async fn read_oldest(
    connection: &mut PgConnection,
    partitions: &[Partition],
) -> Result<Vec<OutboxRow>, Error> {
    let (aggregates, slots) = columns(partitions);
    let rows = sqlx::query_as!(
        OutboxRow,
        r#"
        select oldest.id as "id!", event_id as "event_id!", kind as "kind!", oldest.aggregate as "aggregate!",
            key as "key!", oldest.slot as "slot!", seq as "seq!", time as "time!", traceparent, bulk as "bulk!",
            data as "data!"
        from unnest($1::text[], $2::smallint[]) as partition (aggregate, slot)
        cross join lateral (
            select * from messaging.outbox
            where aggregate = partition.aggregate and slot = partition.slot
            order by id
            limit 1
        ) oldest
        "#,
        &aggregates as &[&str],
        &slots,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Partitions as two arrays of equal length.
fn columns(partitions: &[Partition]) -> (Vec<&str>, Vec<i16>) {
    partitions.iter().map(|partition| (partition.aggregate.as_str(), partition.slot)).unzip()
}

/// Moves confirmed rows from the outbox to the log of messages, provided that no other process has acquired the lease: a
/// process that was stopped and resumes must not delete what its successor is publishing. Returns whether the lease was
/// held.
pub(crate) async fn move_to_log(
    connection: &mut PgConnection,
    confirmed: &[i64],
    log: Log<'_>,
    lease: &str,
    holder: Uuid,
    epoch: i64,
) -> Result<bool, Error> {
    let Log { messages, last } = log;
    let (last_partitions, last): (Vec<Partition>, Vec<i64>) = last.iter().cloned().unzip();
    let (last_aggregates, last_slots) = columns(&last_partitions);
    let positions: Vec<i64> = messages.iter().map(|message| message.position).collect();
    let aggregates: Vec<&str> = messages.iter().map(|message| message.aggregate).collect();
    let slots: Vec<i16> = messages.iter().map(|message| message.slot).collect();
    let events: Vec<i32> = messages.iter().map(|message| message.events).collect();
    let bodies: Vec<&[u8]> = messages.iter().map(|message| message.body).collect();
    let held = sqlx::query_scalar!(
        r#"
        with held as (
            select 1 from messaging.process_lease
            where name = $2 and holder = $3 and epoch = $4
            for share
        ), deleted as (
            delete from messaging.outbox where id = any($1) and exists (select from held)
        ), open_segment as (
            select coalesce(
                (select segment from messaging.message_segment order by number desc limit 1), 0::smallint
            ) as segment
        ), logged as (
            insert into messaging.message (segment, aggregate, slot, events, body, position)
            select open_segment.segment, aggregate, slot, events, body, position
            from open_segment, unnest($5::text[], $6::smallint[], $7::integer[], $8::bytea[], $9::bigint[])
                with ordinality as m (aggregate, slot, events, body, position, place)
            where exists (select from held)
            order by place
        ), positioned as (
            insert into messaging.slot_position as p (aggregate, slot, last)
            select aggregate, slot, last from unnest($10::text[], $11::smallint[], $12::bigint[]) as l (aggregate, slot, last)
            where exists (select from held)
            on conflict (aggregate, slot) do update set last = excluded.last
        )
        select exists (select from held) as "held!"
        "#,
        confirmed,
        lease,
        holder,
        epoch,
        &aggregates as &[&str],
        &slots,
        &events,
        &bodies as &[&[u8]],
        &positions,
        &last_aggregates as &[&str],
        &last_slots,
        &last,
    )
    .fetch_one(connection)
    .await?;
    Ok(held)
}

#[cfg(test)]
mod tests {
    use envelope::{EventId, Priority, Slot};

    use super::{Numbering, PendingEvent};

    fn event(aggregate: &'static str, key: &str) -> PendingEvent {
        PendingEvent {
            id: EventId::new(),
            kind: "lamp.lit.v1",
            aggregate,
            key: key.to_owned(),
            slot: Slot::of(key),
            traceparent: None,
            priority: Priority::Normal,
            data: String::new(),
        }
    }

    #[test]
    fn each_event_gets_the_rank_and_followers_of_its_key() {
        let events =
            [event("b", "x"), event("a", "键"), event("b", "x"), event("a", "k"), event("b", "x")];
        let numbering = Numbering::of(&events);
        assert_eq!(numbering.keys, [("a", "k"), ("a", "键"), ("b", "x")]);
        assert_eq!(numbering.counts, [1, 1, 3]);
        assert_eq!(numbering.ranks, [3, 2, 3, 1, 3]);
        assert_eq!(numbering.followers, [2, 0, 1, 0, 0]);
    }
}
