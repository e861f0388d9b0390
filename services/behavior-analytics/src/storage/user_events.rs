//! User events, each stored once, in the order of the stream.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::domain::{
    event::{Event, OrderDetails},
    identity::{SessionId, VisitorId},
    verdict::Verdict,
    visitor_history::{Classification, EventFacts},
};

/// An event as the stream contains it, with its verdict. Kind and ids are stored without a check.
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
    pub(crate) signed: bool,
    pub(crate) consent: bool,
    pub(crate) user_agent: Option<&'a str>,
    pub(crate) visitor_place: Option<u32>,
    pub(crate) clock_offset_ms: Option<i64>,
    pub(crate) classification: Classification,
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
#[expect(clippy::too_many_lines, reason = "one statement, and its columns one by one")]
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
    let signed: Vec<bool> = events.iter().map(|event| event.signed).collect();
    let consents: Vec<bool> = events.iter().map(|event| event.consent).collect();
    let agents: Vec<Option<&str>> = events.iter().map(|event| event.user_agent).collect();
    let places = events.iter().map(|event| event.visitor_place);
    let places: Vec<Option<i32>> =
        places.map(|place| place.map(|place| i32::try_from(place).unwrap_or(i32::MAX))).collect();
    let offsets: Vec<Option<i64>> = events.iter().map(|event| event.clock_offset_ms).collect();
    let verdicts: Vec<&str> =
        events.iter().map(|event| event.classification.verdict.as_str()).collect();
    let weights: Vec<f64> = events.iter().map(|event| event.classification.weight).collect();
    sqlx::query_as!(
        InsertCounts,
        r#"
        with incoming as (
            select
                e.*,
                (e.received_at at time zone 'utc')::date as day,
                exists (select from erasure x where x.visitor_id = e.visitor_id) as erased
            from unnest(
                $1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::timestamptz[], $7::timestamptz[], $8::text[],
                $9::boolean[], $10::boolean[], $11::text[], $12::integer[], $13::bigint[], $14::text[], $15::double precision[]
            ) with ordinality as e (
                event_id, kind, visitor_id, session_id, product_id, occurred_at, received_at, properties,
                signed, consent, user_agent, visitor_place, clock_offset_ms, verdict, weight, place
            )
        ), stored as (
            insert into user_event (
                event_id, kind, visitor_id, session_id, product_id, occurred_at, received_at, properties,
                signed, consent, user_agent, visitor_place, clock_offset_ms, verdict, weight
            )
            select
                event_id, kind, visitor_id, session_id, product_id, occurred_at, received_at, properties::jsonb,
                signed, consent, user_agent, visitor_place, clock_offset_ms, verdict, weight
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
        &signed,
        &consents,
        &agents as &[Option<&str>],
        &places as &[Option<i32>],
        &offsets as &[Option<i64>],
        &verdicts as &[&str],
        &weights,
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
    /// `None` if it is unknown.
    pub(crate) verdict: Option<Verdict>,
    /// How much it counts in demand.
    pub(crate) weight: f64,
}

/// The properties of an `order_completed` event. Invalid values are ignored, because one bad row must not
/// stop the model updater.
#[derive(Debug, Default, Deserialize)]
struct OrderPropertiesRow {
    #[serde(default)]
    product_ids: Value,
}

impl From<OrderPropertiesRow> for OrderDetails {
    fn from(row: OrderPropertiesRow) -> Self {
        let uuid = |value: &Value| value.as_str().and_then(|text| Uuid::parse_str(text).ok());
        let products = row.product_ids.as_array().map(Vec::as_slice).unwrap_or_default();
        Self { product_ids: products.iter().filter_map(uuid).collect() }
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
            verdict,
            weight,
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
        StoredEvent {
            no: row.no,
            received_at: row.received_at,
            event: event(),
            verdict: Verdict::parse(&row.verdict),
            weight: row.weight,
        }
    });
    Ok(events.collect())
}

/// Those of `ids` under which an event is stored.
pub(crate) async fn stored_ids(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("select event_id from user_event where event_id = any($1)", ids)
        .fetch_all(connection)
        .await
}

/// The number of the newest event; 0 if there is none.
pub(crate) async fn newest(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select coalesce(max(no), 0) as "no!" from user_event"#)
        .fetch_one(connection)
        .await
}

/// What the verdict on an event depends on.
#[derive(Debug, Clone)]
pub(crate) struct FactsRow {
    pub(crate) no: i64,
    pub(crate) visitor_id: String,
    kind: String,
    product_id: Option<Uuid>,
    product_is_known: bool,
    occurred_at: DateTime<Utc>,
    pub(crate) received_at: DateTime<Utc>,
    user_agent: Option<String>,
    signed: bool,
    consent: bool,
    visitor_place: Option<i32>,
    /// Its present verdict.
    pub(crate) verdict: String,
    /// Its present weight.
    pub(crate) weight: f64,
}

impl FactsRow {
    pub(crate) fn facts(&self) -> EventFacts<'_> {
        EventFacts {
            kind: self.kind.parse().ok(),
            product_id: self.product_id,
            product_is_known: self.product_is_known,
            occurred_at: self.occurred_at,
            received_at: self.received_at,
            user_agent: self.user_agent.as_deref(),
            signed: self.signed,
            consent: self.consent,
            visitor_place: self.visitor_place.and_then(|place| u32::try_from(place).ok()),
        }
    }
}

/// The facts of the first `limit` events of each visitor that were received at or after the instant, in the
/// order in which they were stored.
pub(crate) async fn facts_since(
    connection: &mut PgConnection,
    visitors: &[(&str, DateTime<Utc>)],
    limit: i64,
) -> Result<Vec<FactsRow>, sqlx::Error> {
    let (visitors, since): (Vec<&str>, Vec<DateTime<Utc>>) = visitors.iter().copied().unzip();
    sqlx::query_as!(
        FactsRow,
        r#"
        select
            e.no,
            e.visitor_id,
            e.kind,
            e.product_id,
            (e.product_id is null or exists (select from product p where p.product_id = e.product_id)) as "product_is_known!",
            e.occurred_at,
            e.received_at,
            e.user_agent,
            e.signed,
            e.consent,
            e.visitor_place,
            e.verdict,
            e.weight
        from unnest($1::text[], $2::timestamptz[]) as v (visitor_id, since)
        cross join lateral (
            select u.*
            from user_event u
            where u.visitor_id = v.visitor_id and u.received_at >= v.since
            order by u.no
            limit $3
        ) e
        order by e.no
        "#,
        &visitors as &[&str],
        &since,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// The facts of the first `limit` events with a number greater than `after`.
pub(crate) async fn facts_after(
    connection: &mut PgConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<FactsRow>, sqlx::Error> {
    sqlx::query_as!(
        FactsRow,
        r#"
        select
            e.no,
            e.visitor_id,
            e.kind,
            e.product_id,
            (e.product_id is null or exists (select from product p where p.product_id = e.product_id)) as "product_is_known!",
            e.occurred_at,
            e.received_at,
            e.user_agent,
            e.signed,
            e.consent,
            e.visitor_place,
            e.verdict,
            e.weight
        from user_event e
        where e.no > $1
        order by e.no
        limit $2
        "#,
        after,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Writes new verdicts of stored events, each with its number.
pub(crate) async fn reclassify(
    connection: &mut PgConnection,
    changed: &[(i64, Classification)],
) -> Result<(), sqlx::Error> {
    let numbers: Vec<i64> = changed.iter().map(|(no, _)| *no).collect();
    let verdicts: Vec<&str> = changed.iter().map(|(_, one)| one.verdict.as_str()).collect();
    let weights: Vec<f64> = changed.iter().map(|(_, one)| one.weight).collect();
    sqlx::query!(
        r#"
        update user_event u
        set verdict = c.verdict, weight = c.weight
        from unnest($1::bigint[], $2::text[], $3::double precision[]) as c (no, verdict, weight)
        where u.no = c.no
        "#,
        &numbers,
        &verdicts as &[&str],
        &weights,
    )
    .execute(connection)
    .await?;
    Ok(())
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
