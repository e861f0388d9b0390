//! Lists of orders, newest first. The ids of orders are ordered by time.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{CustomerId, OrderId, Sku};

use super::order_views::{OrderView, get_many};
use crate::domain::{OrderNumber, OrderStatus};

/// Which orders to list. `None` means any.
#[derive(Debug, Clone, Default)]
pub(crate) struct OrderFilter {
    pub(crate) customer: Option<CustomerId>,
    pub(crate) number: Option<OrderNumber>,
    /// Only orders with one of these statuses; no repetitions.
    pub(crate) statuses: Option<Vec<OrderStatus>>,
    /// Only orders with a line of this SKU.
    pub(crate) sku: Option<Sku>,
    /// Only orders placed at this time or later.
    pub(crate) placed_from: Option<DateTime<Utc>>,
    /// Only orders placed before this time.
    pub(crate) placed_to: Option<DateTime<Utc>>,
    /// Only orders placed before this one.
    pub(crate) before: Option<OrderId>,
}

/// The most by which the time in the id of an order differs from the time at which it was placed.
const ID_TIME_TOLERANCE: TimeDelta = TimeDelta::minutes(10);

impl OrderFilter {
    /// The first id, and the id after the last one. Ids are ordered by time, so the index skips what is outside.
    fn id_bounds(&self) -> (Uuid, Uuid) {
        let after = self.placed_from.map_or(Uuid::nil(), |from| id_at(from - ID_TIME_TOLERANCE));
        let until = self.placed_to.map_or(Uuid::max(), |to| id_at(to + ID_TIME_TOLERANCE));
        (after, self.before.map_or(until, |before| until.min(before.as_uuid())))
    }
}

/// The smallest id of this time: a UUID of version 7 begins with 48 bits of milliseconds.
fn id_at(time: DateTime<Utc>) -> Uuid {
    Uuid::from_u128(u128::try_from(time.timestamp_millis()).unwrap_or_default() << 80)
}

/// At most `limit` orders, newest first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    filter: &OrderFilter,
    limit: i64,
) -> Result<Vec<OrderView>, sqlx::Error> {
    let ids = if let Some(number) = filter.number {
        ids_of_number(connection, filter, number).await?
    } else if let Some(customer) = filter.customer {
        ids_of_customer(connection, filter, customer, limit).await?
    } else if let Some(sku) = &filter.sku {
        ids_of_sku(connection, filter, sku, limit).await?
    } else if let Some(statuses) = &filter.statuses {
        ids_of_statuses(connection, filter, statuses, limit).await?
    } else {
        ids(connection, filter, limit).await?
    };
    get_many(connection, &ids).await
}

// One statement for each index that a list can follow, so that the planner has no choice to make wrong.

/// The names of the statuses, as the database has them.
fn names(statuses: &[OrderStatus]) -> Vec<String> {
    statuses.iter().map(|status| status.as_str().to_owned()).collect()
}

/// The order with this number, if it passes the filter.
async fn ids_of_number(
    connection: &mut PgConnection,
    filter: &OrderFilter,
    number: OrderNumber,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let statuses = filter.statuses.as_deref().map(names);
    let (after, before) = filter.id_bounds();
    sqlx::query_scalar!(
        r#"
        select id from orders o
        where order_number(id) = $1 and id < $2 and id >= $3
            and ($4::uuid is null or customer_id = $4) and ($5::text[] is null or status = any($5))
            and ($6::text is null or exists (select from order_line l where l.order_id = o.id and l.sku = $6))
            and ($7::timestamptz is null or placed_at >= $7) and ($8::timestamptz is null or placed_at < $8)
        "#,
        number.without_check_digit(),
        before,
        after,
        filter.customer.map(CustomerId::as_uuid),
        statuses.as_deref(),
        filter.sku.as_ref().map(Sku::as_str),
        filter.placed_from,
        filter.placed_to,
    )
    .fetch_all(connection)
    .await
}

async fn ids_of_customer(
    connection: &mut PgConnection,
    filter: &OrderFilter,
    customer: CustomerId,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let statuses = filter.statuses.as_deref().map(names);
    let (after, before) = filter.id_bounds();
    sqlx::query_scalar!(
        r#"
        select id from orders o
        where customer_id = $1 and id < $2 and id >= $3 and ($4::text[] is null or status = any($4))
            and ($5::text is null or exists (select from order_line l where l.order_id = o.id and l.sku = $5))
            and ($6::timestamptz is null or placed_at >= $6) and ($7::timestamptz is null or placed_at < $7)
        order by id desc limit $8
        "#,
        customer.as_uuid(),
        before,
        after,
        statuses.as_deref(),
        filter.sku.as_ref().map(Sku::as_str),
        filter.placed_from,
        filter.placed_to,
        limit,
    )
    .fetch_all(connection)
    .await
}

async fn ids_of_sku(
    connection: &mut PgConnection,
    filter: &OrderFilter,
    sku: &Sku,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let statuses = filter.statuses.as_deref().map(names);
    let (after, before) = filter.id_bounds();
    // The lateral subquery looks one order up for each line, from the newest on, until the limit is reached. A join could be planned
    // as a scan of all orders.
    sqlx::query_scalar!(
        r#"
        select l.order_id from order_line l
        cross join lateral (
            select from orders o
            where o.id = l.order_id and ($4::text[] is null or o.status = any($4))
                and ($5::timestamptz is null or o.placed_at >= $5) and ($6::timestamptz is null or o.placed_at < $6)
            offset 0
        ) o
        where l.sku = $1 and l.order_id < $2 and l.order_id >= $3
        order by l.order_id desc limit $7
        "#,
        sku.as_str(),
        before,
        after,
        statuses.as_deref(),
        filter.placed_from,
        filter.placed_to,
        limit,
    )
    .fetch_all(connection)
    .await
}

async fn ids_of_statuses(
    connection: &mut PgConnection,
    filter: &OrderFilter,
    statuses: &[OrderStatus],
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let (after, before) = filter.id_bounds();
    let statuses = names(statuses);
    // The newest of each status, merged: the index has the order of ids within a status only. Comparing rows leaves no other index: with
    // an equation, the planner would read all orders backwards to look for a status that it takes for a frequent one.
    sqlx::query_scalar!(
        r#"
        select o.id from unnest($1::text[]) as wanted (status)
        cross join lateral (
            select id from orders
            where (status, id) < (wanted.status, $2) and (status, id) >= (wanted.status, $3)
                and ($4::timestamptz is null or placed_at >= $4) and ($5::timestamptz is null or placed_at < $5)
            order by status desc, id desc limit $6
        ) o
        order by o.id desc limit $6
        "#,
        &statuses,
        before,
        after,
        filter.placed_from,
        filter.placed_to,
        limit,
    )
    .fetch_all(connection)
    .await
}

async fn ids(
    connection: &mut PgConnection,
    filter: &OrderFilter,
    limit: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let (after, before) = filter.id_bounds();
    sqlx::query_scalar!(
        r#"
        select id from orders
        where id < $1 and id >= $2
            and ($3::timestamptz is null or placed_at >= $3) and ($4::timestamptz is null or placed_at < $4)
        order by id desc limit $5
        "#,
        before,
        after,
        filter.placed_from,
        filter.placed_to,
        limit,
    )
    .fetch_all(connection)
    .await
}
