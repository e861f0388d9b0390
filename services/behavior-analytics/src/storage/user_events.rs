//! User events, each stored once, in the order of the stream.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::domain::{
    event::{Event, OrderDetails},
    identity::{SessionId, VisitorId},
};

/// An event as the stream contains it. Kind and ids are stored without a check.
#[derive(Debug, Clone)]
pub(crate) struct NewUserEvent<'a> {
    pub(crate) event_id: Uuid,
    pub(crate) kind: &'a str,
    pub(crate) visitor_id: &'a str,
    pub(crate) session_id: &'a str,
    pub(crate) product_id: Option<Uuid>,
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) received_at: DateTime<Utc>,
    /// JSON.
    pub(crate) properties: Option<&'a str>,
}

/// The outcomes of one insert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct InsertCounts {
    pub(crate) received: i64,
    /// Events that were not stored before.
    pub(crate) stored: i64,
    /// Events of erased visitors.
    pub(crate) dropped: i64,
}

impl InsertCounts {
    /// Events that were stored before, or occur twice in the same insert.
    pub(crate) const fn duplicates(self) -> i64 {
        self.received - self.stored - self.dropped
    }
}

/// Stores events, and counts the outcomes by the day on which the events were received.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    events: &[NewUserEvent<'_>],
) -> Result<InsertCounts, sqlx::Error> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.event_id).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind).collect();
    let visitors: Vec<&str> = events.iter().map(|event| event.visitor_id).collect();
    let sessions: Vec<&str> = events.iter().map(|event| event.session_id).collect();
    let products: Vec<Option<Uuid>> = events.iter().map(|event| event.product_id).collect();
    let occurred: Vec<DateTime<Utc>> = events.iter().map(|event| event.occurred_at).collect();
    let received: Vec<DateTime<Utc>> = events.iter().map(|event| event.received_at).collect();
    let properties: Vec<Option<&str>> = events.iter().map(|event| event.properties).collect();
    sqlx::query_as!(
        InsertCounts,
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
        ), written as (
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
    .await
}

/// An event with its row number.
#[derive(Debug, Clone)]
pub(crate) struct StoredEvent {
    pub(crate) no: i64,
    pub(crate) received_at: DateTime<Utc>,
    /// `None` if the kind or an id is not valid.
    pub(crate) event: Option<Event>,
}

/// The properties of an `order_completed` event. Invalid values are ignored, because one bad row must not
/// stop the model updater.
#[derive(Debug, Default, Deserialize)]
struct OrderPropertiesRow {
    #[serde(default)]
    order_id: Value,
    #[serde(default)]
    product_ids: Value,
}

impl From<OrderPropertiesRow> for OrderDetails {
    fn from(row: OrderPropertiesRow) -> Self {
        let uuid = |value: &Value| value.as_str().and_then(|text| Uuid::parse_str(text).ok());
        let products = row.product_ids.as_array().map(Vec::as_slice).unwrap_or_default();
        Self {
            order_id: uuid(&row.order_id),
            product_ids: products.iter().filter_map(uuid).collect(),
        }
    }
}

/// The first `limit` events with a number greater than `after` that were received at or after `since`.
pub(crate) async fn after(
    connection: &mut PgConnection,
    after: i64,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<StoredEvent>, sqlx::Error> {
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
            case when kind = 'order_completed' then properties end as "properties: Json<OrderPropertiesRow>"
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
                id: row.event_id,
                kind: row.kind.parse().ok()?,
                visitor_id: VisitorId::parse(&row.visitor_id).ok()?,
                session_id: SessionId::parse(&row.session_id).ok()?,
                product_id: row.product_id,
                occurred_at: row.occurred_at,
                order: row.properties.map(|Json(order)| order.into()).unwrap_or_default(),
            })
        };
        StoredEvent { no: row.no, received_at: row.received_at, event: event() }
    });
    Ok(events.collect())
}

/// Deletes up to `limit` of the oldest events that were received before `before`. Returns the number of
/// deleted events.
pub(crate) async fn delete_expired(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"
        with oldest as (
            select event_id from user_event order by no limit $2
        ), deleted as (
            delete from user_event u
            using oldest o
            where u.event_id = o.event_id and u.received_at < $1
            returning (u.received_at at time zone 'utc')::date as day
        ), counted as (
            update intake_count c
            set expired = c.expired + d.count
            from (select day, count(*) from deleted group by day) d
            where c.day = d.day
        )
        select count(*) as "count!" from deleted
        "#,
        before,
        limit,
    )
    .fetch_one(connection)
    .await
}
