//! Orders and their lines. Whoever changes an order holds the lock on its row; several are locked in the order of their
//! ids.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contracts::trace::TraceContext;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;
use vocabulary::{CustomerId, Localized, Money, OrderId, PaymentId, Quantity};

use super::{Missing, money, optional_money, undecodable};
use crate::domain::{Address, Line, Offer, Order, Reason, State, Status};

/// An order whose row is locked until the end of the transaction.
#[derive(Debug, Clone)]
pub(crate) struct Locked {
    /// The order.
    pub(crate) order: Order,
    /// The trace of the request that placed it.
    pub(crate) trace: Option<TraceContext>,
}

/// A new order, with what its process need not know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct New<'a> {
    /// The order.
    pub(crate) order: &'a Order,
    /// Where it goes.
    pub(crate) address: &'a Address,
    /// The trace of the request that places it.
    pub(crate) trace: Option<TraceContext>,
}

/// Writes new orders with their lines.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    new: &[New<'_>],
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = new.iter().map(|new| new.order.id.as_uuid()).collect();
    let customers: Vec<Uuid> = new.iter().map(|new| new.order.customer.as_uuid()).collect();
    let methods: Vec<&str> = new.iter().map(|new| new.order.method.as_str()).collect();
    let totals: Vec<Option<i64>> =
        new.iter().map(|new| new.order.total.map(Money::amount)).collect();
    let currencies: Vec<Option<String>> =
        new.iter().map(|new| new.order.total.map(|total| total.currency().to_string())).collect();
    let addresses = new.iter().map(|new| serde_json::to_value(new.address));
    let addresses: Vec<_> = addresses.collect::<Result<_, _>>().map_err(undecodable)?;
    let times: Vec<DateTime<Utc>> = new.iter().map(|new| new.order.placed_at).collect();
    let due: Vec<Option<DateTime<Utc>>> = new.iter().map(|new| new.order.state.due()).collect();
    let traces: Vec<Option<String>> =
        new.iter().map(|new| new.trace.map(|trace| trace.to_string())).collect();
    sqlx::query!(
        r#"
        insert into orders (
            id, customer_id, status, method, total, currency, shipping_address, placed_at, changed_at, due_at, traceparent
        )
        select id, customer_id, 'placed', method, total, currency, shipping_address, placed_at, placed_at, due_at, traceparent
        from unnest(
            $1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::jsonb[], $7::timestamptz[],
            $8::timestamptz[], $9::text[]
        ) as new (id, customer_id, method, total, currency, shipping_address, placed_at, due_at, traceparent)
        "#,
        &ids,
        &customers,
        &methods as &[&str],
        &totals as &[Option<i64>],
        &currencies as &[Option<String>],
        &addresses,
        &times,
        &due as &[Option<DateTime<Utc>>],
        &traces as &[Option<String>],
    )
    .execute(&mut *connection)
    .await?;
    insert_lines(connection, new).await
}

async fn insert_lines(connection: &mut PgConnection, new: &[New<'_>]) -> Result<(), sqlx::Error> {
    let rows = LineRows::of(new.iter().map(|new| new.order))?;
    let quantities: Vec<i32> = new
        .iter()
        .flat_map(|new| &new.order.lines)
        .map(|line| i32::try_from(line.quantity.get()).unwrap_or(i32::MAX))
        .collect();
    sqlx::query!(
        r#"
        insert into order_line (order_id, sku, quantity, product_id, unit_price, currency, title)
        select *
        from unnest($1::uuid[], $2::text[], $3::integer[], $4::uuid[], $5::bigint[], $6::text[], $7::jsonb[])
        "#,
        &rows.orders,
        &rows.skus as &[&str],
        &quantities,
        &rows.products as &[Option<Uuid>],
        &rows.prices as &[Option<i64>],
        &rows.currencies as &[Option<String>],
        &rows.titles as &[Option<serde_json::Value>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Lines as parallel arrays.
struct LineRows<'a> {
    orders: Vec<Uuid>,
    skus: Vec<&'a str>,
    products: Vec<Option<Uuid>>,
    prices: Vec<Option<i64>>,
    currencies: Vec<Option<String>>,
    titles: Vec<Option<serde_json::Value>>,
}

impl<'a> LineRows<'a> {
    fn of(orders: impl IntoIterator<Item = &'a Order>) -> Result<Self, sqlx::Error> {
        let mut rows = Self {
            orders: Vec::new(),
            skus: Vec::new(),
            products: Vec::new(),
            prices: Vec::new(),
            currencies: Vec::new(),
            titles: Vec::new(),
        };
        for order in orders {
            for line in &order.lines {
                let offer = line.offer.as_ref();
                let title = offer.map(|offer| serde_json::to_value(&offer.title)).transpose();
                rows.orders.push(order.id.as_uuid());
                rows.skus.push(line.sku.as_str());
                rows.products.push(offer.map(|offer| offer.product.as_uuid()));
                rows.prices.push(offer.map(|offer| offer.price.amount()));
                rows.currencies.push(offer.map(|offer| offer.price.currency().to_string()));
                rows.titles.push(title.map_err(undecodable)?);
            }
        }
        Ok(rows)
    }
}

/// Writes the prices of orders that were placed before they were known.
pub(crate) async fn write_prices<'a>(
    connection: &mut PgConnection,
    orders: impl IntoIterator<Item = &'a Order>,
) -> Result<(), sqlx::Error> {
    let rows = LineRows::of(orders)?;
    if rows.orders.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        update order_line l
        set product_id = u.product_id, unit_price = u.unit_price, currency = u.currency, title = u.title
        from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::jsonb[])
            as u (order_id, sku, product_id, unit_price, currency, title)
        where l.order_id = u.order_id and l.sku = u.sku and l.unit_price is null
        "#,
        &rows.orders,
        &rows.skus as &[&str],
        &rows.products as &[Option<Uuid>],
        &rows.prices as &[Option<i64>],
        &rows.currencies as &[Option<String>],
        &rows.titles as &[Option<serde_json::Value>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A row of `orders`, as far as its process needs it.
struct Row {
    id: Uuid,
    customer_id: Uuid,
    status: String,
    method: String,
    total: Option<i64>,
    currency: Option<String>,
    reason: Option<Json<Reason>>,
    payment_id: Option<Uuid>,
    placed_at: DateTime<Utc>,
    due_at: Option<DateTime<Utc>>,
    traceparent: Option<String>,
}

/// Those of `orders` that exist, locked.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, Locked>, sqlx::Error> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.as_uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"
        select id, customer_id, status, method, total, currency, reason as "reason: Json<Reason>", payment_id, placed_at,
            due_at, traceparent
        from orders where id = any($1)
        order by id
        for update
        "#,
        &ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    let locked = with_lines(connection, rows).await?;
    Ok(locked.into_iter().map(|locked| (locked.order.id, locked)).collect())
}

/// One order, locked, if it exists.
pub(crate) async fn lock_one(
    connection: &mut PgConnection,
    order: OrderId,
) -> Result<Option<Locked>, sqlx::Error> {
    Ok(lock(connection, &[order]).await?.remove(&order))
}

/// The `limit` orders whose deadline passed longest ago, but for those in `aside`, locked; those that somebody else has locked
/// are left to them.
pub(crate) async fn lock_due(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    aside: &[OrderId],
    limit: i64,
) -> Result<Vec<Locked>, sqlx::Error> {
    let aside: Vec<Uuid> = aside.iter().map(|order| order.as_uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"
        select id, customer_id, status, method, total, currency, reason as "reason: Json<Reason>", payment_id, placed_at,
            due_at, traceparent
        from orders where due_at <= $1 and id <> all($2)
        order by due_at
        limit $3
        for update skip locked
        "#,
        now,
        &aside,
        limit,
    )
    .fetch_all(&mut *connection)
    .await?;
    with_lines(connection, rows).await
}

/// One order, locked, if its deadline has passed and nobody else has it locked.
pub(crate) async fn lock_one_due(
    connection: &mut PgConnection,
    order: OrderId,
    now: DateTime<Utc>,
) -> Result<Option<Locked>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        select id, customer_id, status, method, total, currency, reason as "reason: Json<Reason>", payment_id, placed_at,
            due_at, traceparent
        from orders where id = $1 and due_at <= $2
        for update skip locked
        "#,
        order.as_uuid(),
        now,
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(with_lines(connection, rows).await?.pop())
}

/// The same orders by their ids, which can be read whatever else their rows hold. They are not locked.
pub(crate) async fn due(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    aside: &[OrderId],
    limit: i64,
) -> Result<Vec<OrderId>, sqlx::Error> {
    let aside: Vec<Uuid> = aside.iter().map(|order| order.as_uuid()).collect();
    let due = sqlx::query_scalar!(
        "select id from orders where due_at <= $1 and id <> all($2) order by due_at limit $3",
        now,
        &aside,
        limit,
    );
    Ok(due.fetch_all(connection).await?.into_iter().map(OrderId::from).collect())
}

/// The earliest deadline there is, but for those of the orders in `aside`.
pub(crate) async fn next_due(
    connection: &mut PgConnection,
    aside: &[OrderId],
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let aside: Vec<Uuid> = aside.iter().map(|order| order.as_uuid()).collect();
    sqlx::query_scalar!(
        "select min(due_at) from orders where due_at is not null and id <> all($1)",
        &aside,
    )
    .fetch_one(connection)
    .await
}

async fn with_lines(
    connection: &mut PgConnection,
    rows: Vec<Row>,
) -> Result<Vec<Locked>, sqlx::Error> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut lines = lines_of(connection, &ids).await?;
    let locked = rows.into_iter().map(|row| {
        let lines = lines.remove(&row.id).unwrap_or_default();
        let trace = row.traceparent.as_deref().and_then(TraceContext::parse);
        Ok(Locked { order: order(&row, lines)?, trace })
    });
    locked.collect()
}

/// The lines of `orders`, by order, sorted by SKU.
pub(super) async fn lines_of(
    connection: &mut PgConnection,
    orders: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Line>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select order_id, sku, quantity, product_id, unit_price, currency, title as "title: Json<Localized>"
        from order_line where order_id = any($1)
        order by order_id, sku collate "C"
        "#,
        orders,
    )
    .fetch_all(connection)
    .await?;
    let mut lines: HashMap<Uuid, Vec<Line>> = HashMap::new();
    for row in rows {
        let offer = match (row.product_id, row.unit_price, row.currency) {
            (Some(product), Some(price), Some(currency)) => Some(Offer {
                product: product.into(),
                price: money(price, &currency)?,
                title: row.title.map(|title| title.0).unwrap_or_default(),
            }),
            _ => None,
        };
        let line = Line {
            sku: row.sku.try_into().map_err(undecodable)?,
            quantity: Quantity::try_from(i64::from(row.quantity)).map_err(undecodable)?,
            offer,
        };
        lines.entry(row.order_id).or_default().push(line);
    }
    Ok(lines)
}

fn order(row: &Row, lines: Vec<Line>) -> Result<Order, sqlx::Error> {
    let due = || row.due_at.ok_or_else(|| undecodable(Missing("due_at")));
    let reason =
        || row.reason.clone().map(|reason| reason.0).ok_or_else(|| undecodable(Missing("reason")));
    let status: Status = row.status.parse().map_err(undecodable)?;
    let state = match status {
        Status::Placed => State::Placed { until: due()? },
        Status::Reserved => State::Reserved { until: due()? },
        Status::Confirmed => {
            let payment = row.payment_id.ok_or_else(|| undecodable(Missing("payment_id")))?;
            State::Confirmed { payment: payment.into(), ships_at: due()? }
        }
        Status::Shipped => State::Shipped { delivers_at: row.due_at },
        Status::Delivered => State::Delivered,
        Status::Rejected => State::Rejected(reason()?),
        Status::PaymentFailed => State::PaymentFailed(reason()?),
        Status::Expired => State::Expired(reason()?),
        Status::Cancelled => State::Cancelled(reason()?),
    };
    Ok(Order {
        id: row.id.into(),
        customer: row.customer_id.into(),
        method: row.method.parse().map_err(undecodable)?,
        lines,
        total: optional_money(row.total, row.currency.as_deref())?,
        placed_at: row.placed_at,
        state,
    })
}

/// Writes where `orders` stand now; their rows are locked.
pub(crate) async fn write(
    connection: &mut PgConnection,
    orders: &[&Order],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.id.as_uuid()).collect();
    let statuses: Vec<&str> = orders.iter().map(|order| order.status().as_str()).collect();
    let totals: Vec<Option<i64>> =
        orders.iter().map(|order| order.total.map(Money::amount)).collect();
    let currencies: Vec<Option<String>> =
        orders.iter().map(|order| order.total.map(|total| total.currency().to_string())).collect();
    let reasons =
        orders.iter().map(|order| order.state.reason().map(serde_json::to_value).transpose());
    let reasons: Vec<_> = reasons.collect::<Result<_, _>>().map_err(undecodable)?;
    let payments: Vec<Option<Uuid>> =
        orders.iter().map(|order| order.state.payment().map(PaymentId::as_uuid)).collect();
    let due: Vec<Option<DateTime<Utc>>> = orders.iter().map(|order| order.state.due()).collect();
    sqlx::query!(
        r#"
        update orders o
        set status = u.status, total = u.total, currency = u.currency, reason = u.reason,
            payment_id = coalesce(u.payment_id, o.payment_id), due_at = u.due_at, changed_at = $8
        from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::jsonb[], $6::uuid[], $7::timestamptz[])
            as u (id, status, total, currency, reason, payment_id, due_at)
        where o.id = u.id
        "#,
        &ids,
        &statuses as &[&str],
        &totals as &[Option<i64>],
        &currencies as &[Option<String>],
        &reasons as &[Option<serde_json::Value>],
        &payments as &[Option<Uuid>],
        &due as &[Option<DateTime<Utc>>],
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whose an order is and where it stands, if it exists.
pub(crate) async fn head(
    connection: &mut PgConnection,
    order: OrderId,
) -> Result<Option<(CustomerId, Status)>, sqlx::Error> {
    let row = sqlx::query!("select customer_id, status from orders where id = $1", order.as_uuid())
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok((row.customer_id.into(), row.status.parse().map_err(undecodable)?)))
        .transpose()
}
