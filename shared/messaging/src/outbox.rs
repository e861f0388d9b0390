//! The outbox: events between the commit that said them and the broker's confirm.

use chrono::{DateTime, Utc};
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
    pub(crate) data: String,
}

/// Numbers `said` and appends it, all in one statement.
///
/// The rows of `messaging.sequence` are locked in the order of their keys, so two transactions never wait for each other
/// in a circle. Ids are given out after these locks are held, so within a key the order of ids is the order of numbers.
pub(crate) async fn append(connection: &mut PgConnection, said: &[Said]) -> Result<(), Error> {
    let ids: Vec<Uuid> = said.iter().map(|event| event.id.as_uuid()).collect();
    let kinds: Vec<&str> = said.iter().map(|event| event.kind).collect();
    let aggregates: Vec<&str> = said.iter().map(|event| event.aggregate).collect();
    let keys: Vec<&str> = said.iter().map(|event| event.key.as_str()).collect();
    let slots: Vec<i16> = said.iter().map(|event| i16::from(event.slot.number())).collect();
    let traces: Vec<Option<&str>> = said.iter().map(|event| event.traceparent.as_deref()).collect();
    let data: Vec<&str> = said.iter().map(|event| event.data.as_str()).collect();
    sqlx::query!(
        r#"
        with event as (
            select *
            from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::text[])
                with ordinality as e (event_id, kind, aggregate, key, slot, traceparent, data, position)
        ), bumped as (
            insert into messaging.sequence as s (aggregate, key, last)
            select aggregate, key, count(*) from event group by aggregate, key order by aggregate, key
            on conflict (aggregate, key) do update set last = s.last + excluded.last
            returning aggregate, key, last
        ), numbered as (
            select
                e.*,
                b.last - count(*) over (partition by e.aggregate, e.key)
                    + row_number() over (partition by e.aggregate, e.key order by e.position) as seq
            from event e
            join bumped b on b.aggregate = e.aggregate and b.key = e.key
        )
        insert into messaging.outbox (event_id, kind, aggregate, key, slot, seq, time, traceparent, data)
        select event_id, kind, aggregate, key, slot, seq, clock_timestamp(), traceparent, data
        from numbered
        order by position
        "#,
        &ids,
        &kinds as &[&str],
        &aggregates as &[&str],
        &keys as &[&str],
        &slots,
        &traces as &[Option<&str>],
        &data as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
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
            slot as "slot!", seq as "seq!", time as "time!", traceparent, data as "data!"
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
