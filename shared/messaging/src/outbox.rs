//! The outbox: events between the commit that said them and the broker's confirm.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use envelope::Priority;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, kit::Said};

/// An event in the outbox.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) event_id: Uuid,
    pub(crate) kind: String,
    pub(crate) aggregate: String,
    pub(crate) key: String,
    pub(crate) slot: i16,
    pub(crate) seq: i64,
    pub(crate) time: DateTime<Utc>,
    pub(crate) traceparent: Option<String>,
    /// Whether it is part of bulk work.
    pub(crate) bulk: bool,
    pub(crate) data: String,
}

/// Numbers `said` and appends it, all in one statement.
pub(crate) async fn append(connection: &mut PgConnection, said: &[Said]) -> Result<(), Error> {
    match said {
        [] => Ok(()),
        [one] => append_one(connection, one).await,
        many => append_many(connection, many).await,
    }
}

/// As [`append_many`] for a single event, which most transactions say: a plan that is quicker to start.
async fn append_one(connection: &mut PgConnection, event: &Said) -> Result<(), Error> {
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

/// The rows of `messaging.sequence` are locked in the order of their keys, so two transactions never wait for each other
/// in a circle. Ids are given out after these locks are held, so within a key the order of ids is the order of numbers.
async fn append_many(connection: &mut PgConnection, said: &[Said]) -> Result<(), Error> {
    let Numbering { keys, counts, places, back } = Numbering::of(said);
    let key_aggregates: Vec<&str> = keys.iter().map(|(aggregate, _)| *aggregate).collect();
    let keys: Vec<&str> = keys.iter().map(|(_, key)| *key).collect();
    let ids: Vec<Uuid> = said.iter().map(|event| event.id.as_uuid()).collect();
    let kinds: Vec<&str> = said.iter().map(|event| event.kind).collect();
    let aggregates: Vec<&str> = said.iter().map(|event| event.aggregate).collect();
    let event_keys: Vec<&str> = said.iter().map(|event| event.key.as_str()).collect();
    let slots: Vec<i16> = said.iter().map(|event| i16::from(event.slot.number())).collect();
    let traces: Vec<Option<&str>> = said.iter().map(|event| event.traceparent.as_deref()).collect();
    let bulk: Vec<bool> = said.iter().map(|event| event.priority == Priority::Bulk).collect();
    let data: Vec<&str> = said.iter().map(|event| event.data.as_str()).collect();
    // The new numbers come back as one array in the order of the keys, and each event knows its place in it: a join of the
    // two would cost their product.
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
        &places,
        &back,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Which keys get how many new numbers, and which of them each event gets.
#[derive(Debug, PartialEq, Eq)]
struct Numbering<'a> {
    /// Each (aggregate, key) once, in the order of their bytes.
    keys: Vec<(&'a str, &'a str)>,
    /// How many events each of `keys` has.
    counts: Vec<i64>,
    /// For each event the place of its key in `keys`, counted from 1.
    places: Vec<i32>,
    /// For each event how many events of its key come behind it.
    back: Vec<i64>,
}

impl<'a> Numbering<'a> {
    fn of(said: &'a [Said]) -> Self {
        let mut counted: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        let of_key: Vec<i64> = said
            .iter()
            .map(|event| {
                let count = counted.entry((event.aggregate, event.key.as_str())).or_insert(0);
                *count += 1;
                *count
            })
            .collect();
        let (keys, counts): (Vec<_>, Vec<_>) = counted.into_iter().unzip();
        let place = |event: &Said| keys.partition_point(|key| *key < (event.aggregate, &event.key));
        let places: Vec<usize> = said.iter().map(place).collect();
        let back =
            places.iter().zip(of_key).map(|(place, of_key)| counts[*place] - of_key).collect();
        let places = places.into_iter().map(|place| i32::try_from(place + 1).unwrap_or(i32::MAX));
        Self { places: places.collect(), back, keys, counts }
    }
}

/// The oldest rows in order, at most `limit` and about `bytes` bytes of data, leaving out the keys that are stopped for now (as parallel arrays of aggregates
/// and keys).
pub(crate) async fn read(
    connection: &mut PgConnection,
    stopped: &[(String, String)],
    limit: i64,
    bytes: i64,
) -> Result<Vec<Row>, Error> {
    let aggregates: Vec<&str> = stopped.iter().map(|(aggregate, _)| aggregate.as_str()).collect();
    let keys: Vec<&str> = stopped.iter().map(|(_, key)| key.as_str()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"
        select id as "id!", event_id as "event_id!", kind as "kind!", aggregate as "aggregate!", key as "key!",
            slot as "slot!", seq as "seq!", time as "time!", traceparent, bulk as "bulk!", data as "data!"
        from (
            select *, sum(octet_length(data)) over (order by id) - octet_length(data) as bytes_before
            from (
                select * from messaging.outbox
                where (aggregate, key) not in (select * from unnest($1::text[], $2::text[]))
                order by id
                limit $3
            ) oldest
        ) measured
        where bytes_before < $4
        order by id
        "#,
        &aggregates as &[&str],
        &keys as &[&str],
        limit,
        bytes,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Deletes what the broker has confirmed, if nobody else has taken the lease since: a process that was stopped and comes back
/// must not delete what its successor is publishing. Says whether the lease was held.
pub(crate) async fn delete(
    connection: &mut PgConnection,
    confirmed: &[i64],
    lease: &str,
    holder: Uuid,
    epoch: i64,
) -> Result<bool, Error> {
    let held = sqlx::query_scalar!(
        r#"
        with held as (
            select 1 from messaging.lease
            where name = $2 and holder = $3 and epoch = $4
            for share
        ), deleted as (
            delete from messaging.outbox where id = any($1) and exists (select from held)
        )
        select exists (select from held) as "held!"
        "#,
        confirmed,
        lease,
        holder,
        epoch,
    )
    .fetch_one(connection)
    .await?;
    Ok(held)
}

#[cfg(test)]
mod tests {
    use envelope::{EventId, Priority, Slot};

    use super::{Numbering, Said};

    fn said(aggregate: &'static str, key: &str) -> Said {
        Said {
            id: EventId::new(),
            kind: "thing.happened.v1",
            aggregate,
            key: key.to_owned(),
            slot: Slot::of(key),
            traceparent: None,
            priority: Priority::Normal,
            data: String::new(),
        }
    }

    #[test]
    fn each_event_knows_its_key_and_how_many_of_it_come_behind() {
        let said =
            [said("b", "x"), said("a", "键"), said("b", "x"), said("a", "k"), said("b", "x")];
        let numbering = Numbering::of(&said);
        assert_eq!(numbering.keys, [("a", "k"), ("a", "键"), ("b", "x")]);
        assert_eq!(numbering.counts, [1, 1, 3]);
        assert_eq!(numbering.places, [3, 2, 3, 1, 3]);
        assert_eq!(numbering.back, [2, 0, 1, 0, 0]);
    }
}
