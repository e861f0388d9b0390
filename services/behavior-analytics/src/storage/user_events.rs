//! User events: each once, in the order in which they were read from the stream.

use chrono::{DateTime, Utc};
use contracts::behavior::UserEventV1;
use serde_json::{Map, Value, value::RawValue};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::domain::event::{Event, SessionId, VisitorId};

/// What became of events that were read from the stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many there were.
    pub received: i64,
    /// How many are stored now and were not before.
    pub stored: i64,
    /// How many are of visitors who were erased.
    pub dropped: i64,
}

impl Counts {
    /// How many were stored before, or stood among these twice.
    pub const fn duplicates(self) -> i64 {
        self.received - self.stored - self.dropped
    }
}

/// Stores events and counts what became of each, by the day on which it was taken in.
pub async fn insert(
    connection: &mut PgConnection,
    events: &[UserEventV1],
) -> Result<Counts, sqlx::Error> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.event_id).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let visitors: Vec<&str> = events.iter().map(|event| event.visitor_id.as_str()).collect();
    let sessions: Vec<&str> = events.iter().map(|event| event.session_id.as_str()).collect();
    let products: Vec<Option<Uuid>> =
        events.iter().map(|event| event.product_id.map(Uuid::from)).collect();
    let occurred: Vec<DateTime<Utc>> = events.iter().map(|event| event.occurred_at).collect();
    let received: Vec<DateTime<Utc>> = events.iter().map(|event| event.received_at).collect();
    let properties: Vec<Option<&str>> =
        events.iter().map(|event| event.properties.as_deref().map(RawValue::get)).collect();
    let counts = sqlx::query_as!(
        Counts,
        r#"
        with incoming as (
            select
                e.*,
                (e.received_at at time zone 'utc')::date as day,
                exists (select from erasure x where x.visitor_id = e.visitor_id) as erased
            from unnest(
                $1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::timestamptz[], $7::timestamptz[], $8::text[]
            ) with ordinality as e (
                event_id, kind, visitor_id, session_id, product_id, occurred_at, received_at, properties, place
            )
        ), stored as (
            insert into user_event
                (event_id, kind, visitor_id, session_id, product_id, occurred_at, received_at, properties)
            select event_id, kind, visitor_id, session_id, product_id, occurred_at, received_at, properties::jsonb
            from incoming
            where not erased
            order by place
            on conflict (event_id) do nothing
            returning (received_at at time zone 'utc')::date as day
        ), counted as (
            select i.day, i.received, i.dropped, coalesce(s.stored, 0) as stored
            from (
                select day, count(*) as received, count(*) filter (where erased) as dropped
                from incoming
                group by day
            ) i
            left join (select day, count(*) as stored from stored group by day) s on s.day = i.day
        ), noted as (
            insert into intake_count as c (day, received, stored, duplicates, dropped)
            select day, received, stored, received - stored - dropped, dropped from counted
            on conflict (day) do update set
                received = c.received + excluded.received,
                stored = c.stored + excluded.stored,
                duplicates = c.duplicates + excluded.duplicates,
                dropped = c.dropped + excluded.dropped
        )
        select
            coalesce(sum(received), 0)::bigint as "received!",
            coalesce(sum(stored), 0)::bigint as "stored!",
            coalesce(sum(dropped), 0)::bigint as "dropped!"
        from counted
        "#,
        &ids,
        &kinds as &[&str],
        &visitors as &[&str],
        &sessions as &[&str],
        &products as &[Option<Uuid>],
        &occurred,
        &received,
        &properties as &[Option<&str>],
    )
    .fetch_one(connection)
    .await?;
    Ok(counts)
}

/// An event as it is stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its number.
    pub no: i64,
    /// When the door took it in.
    pub received_at: DateTime<Utc>,
    /// What happened; none if it is not an event by today's rules. Of the properties only those of an order are there:
    /// nothing else is learned from them.
    pub event: Option<Event>,
}

/// The next `limit` events behind the number `after` that were taken in at or after `since`.
pub async fn after(
    connection: &mut PgConnection,
    after: i64,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Stored>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select
            no,
            event_id,
            kind,
            visitor_id,
            session_id,
            product_id,
            occurred_at,
            received_at,
            case when kind = 'order_completed' then properties end as "properties: Json<Map<String, Value>>"
        from user_event
        where no > $1 and received_at >= $2
        order by no
        limit $3
        "#,
        after,
        since,
        limit,
    )
    .fetch_all(connection)
    .await?;
    let events = rows.into_iter().map(|row| {
        let event = || {
            Some(Event {
                event_id: row.event_id,
                kind: row.kind.parse().ok()?,
                visitor_id: VisitorId::parse(&row.visitor_id).ok()?,
                session_id: SessionId::parse(&row.session_id).ok()?,
                product_id: row.product_id,
                occurred_at: row.occurred_at,
                properties: row.properties.map(|Json(properties)| properties).unwrap_or_default(),
            })
        };
        Stored { no: row.no, received_at: row.received_at, event: event() }
    });
    Ok(events.collect())
}

/// Deletes the oldest events, up to `limit` of them, that were taken in before `before`, and says how many.
pub async fn expire(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        with oldest as (
            select event_id from user_event order by no limit $2
        ), gone as (
            delete from user_event u
            using oldest o
            where u.event_id = o.event_id and u.received_at < $1
            returning (u.received_at at time zone 'utc')::date as day
        ), counted as (
            update intake_count c
            set expired = c.expired + g.count
            from (select day, count(*) from gone group by day) g
            where c.day = g.day
        )
        select count(*) as "count!" from gone
        "#,
        before,
        limit,
    )
    .fetch_one(connection)
    .await
}
