//! Orders and their lines. A transaction that changes an order locks its row; it locks several in the order of their ids.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use chrono::{DateTime, Utc};
use envelope::trace::TraceContext;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;
use vocabulary::{CustomerId, Localized, Money, OrderId, PaymentId, Quantity};

use super::{
    MissingColumn,
    cost_json::{CostsJson, costs, costs_value},
    json_columns::{AddressJson, ParcelJson, ReasonJson, parcels_from_json, parcels_to_json},
    money, optional_money, undecodable,
};
use crate::domain::{Address, EndReason, Hold, Offer, Order, OrderLine, OrderState, OrderStatus};

/// An order whose row is locked until the end of the transaction.
#[derive(Debug, Clone)]
pub(crate) struct LockedOrder {
    pub(crate) order: Order,
    /// The trace of the request that placed the order.
    pub(crate) trace: Option<TraceContext>,
}

/// Inserts new orders with their lines, shipping addresses and the traces of the requests that placed them. An order of an erased
/// customer begins the erasure of addresses again.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    new: &[(&Order, &Address, Option<TraceContext>)],
) -> Result<(), sqlx::Error> {
    let orders = || new.iter().map(|(order, ..)| *order);
    let ids: Vec<Uuid> = orders().map(|order| order.id.as_uuid()).collect();
    let customers: Vec<Uuid> = orders().map(|order| order.customer.as_uuid()).collect();
    let methods: Vec<&str> = orders().map(|order| order.method.as_str()).collect();
    let totals: Vec<Option<i64>> = orders().map(|order| order.total().map(Money::amount)).collect();
    let currencies: Vec<Option<String>> =
        orders().map(|order| order.total().map(|total| total.currency().to_string())).collect();
    let costs: Vec<_> =
        orders().map(|order| costs_value(order.costs.as_ref())).collect::<Result<_, _>>()?;
    let addresses =
        new.iter().map(|(_, address, _)| serde_json::to_value(AddressJson::from(*address)));
    let addresses: Vec<_> = addresses.collect::<Result<_, _>>().map_err(undecodable)?;
    let times: Vec<DateTime<Utc>> = orders().map(|order| order.placed_at).collect();
    let deadlines: Vec<Option<DateTime<Utc>>> =
        orders().map(|order| order.state.deadline()).collect();
    let traces: Vec<Option<String>> =
        new.iter().map(|(.., trace)| trace.map(|trace| trace.to_string())).collect();
    sqlx::query!(
        r#"
        with reopened as (
            update customer_erasure_step set completed_at = null, horizon = null
            where service = 'order' and completed_at is not null and customer_id = any($2)
        )
        insert into orders (
            id, customer_id, status, method, total, currency, shipping_address, placed_at, changed_at, due_at, traceparent,
            costs
        )
        select id, customer_id, 'placed', method, total, currency, shipping_address, placed_at, placed_at, due_at, traceparent,
            costs
        from unnest(
            $1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::jsonb[], $7::timestamptz[],
            $8::timestamptz[], $9::text[], $10::jsonb[]
        ) as new (id, customer_id, method, total, currency, shipping_address, placed_at, due_at, traceparent, costs)
        "#,
        &ids,
        &customers,
        &methods as &[&str],
        &totals as &[Option<i64>],
        &currencies as &[Option<String>],
        &addresses,
        &times,
        &deadlines as &[Option<DateTime<Utc>>],
        &traces as &[Option<String>],
        &costs as &[Option<serde_json::Value>],
    )
    .execute(&mut *connection)
    .await?;
    insert_lines(connection, orders()).await
}

async fn insert_lines<'a>(
    connection: &mut PgConnection,
    orders: impl Iterator<Item = &'a Order> + Clone,
) -> Result<(), sqlx::Error> {
    let rows = LineColumns::new(orders.clone())?;
    let quantities: Vec<i32> = orders
        .flat_map(|order| &order.lines)
        .map(|line| i32::try_from(line.quantity.get()).unwrap_or(i32::MAX))
        .collect();
    sqlx::query!(
        r#"
        insert into order_line (order_id, sku, quantity, product_id, unit_price, currency, title, options, image)
        select *
        from unnest(
            $1::uuid[], $2::text[], $3::integer[], $4::uuid[], $5::bigint[], $6::text[], $7::jsonb[], $8::jsonb[], $9::text[]
        )
        "#,
        &rows.orders,
        &rows.skus as &[&str],
        &quantities,
        &rows.products as &[Option<Uuid>],
        &rows.prices as &[Option<i64>],
        &rows.currencies as &[Option<String>],
        &rows.titles as &[Option<serde_json::Value>],
        &rows.options as &[Option<serde_json::Value>],
        &rows.images as &[Option<&str>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The values of `order_line`, one array for each column.
struct LineColumns<'a> {
    orders: Vec<Uuid>,
    skus: Vec<&'a str>,
    products: Vec<Option<Uuid>>,
    prices: Vec<Option<i64>>,
    currencies: Vec<Option<String>>,
    titles: Vec<Option<serde_json::Value>>,
    /// `None` if nothing distinguishes the variant.
    options: Vec<Option<serde_json::Value>>,
    images: Vec<Option<&'a str>>,
}

impl<'a> LineColumns<'a> {
    fn new(orders: impl IntoIterator<Item = &'a Order>) -> Result<Self, sqlx::Error> {
        let mut rows = Self {
            orders: Vec::new(),
            skus: Vec::new(),
            products: Vec::new(),
            prices: Vec::new(),
            currencies: Vec::new(),
            titles: Vec::new(),
            options: Vec::new(),
            images: Vec::new(),
        };
        for order in orders {
            for line in &order.lines {
                let offer = line.offer.as_ref();
                let title = offer.map(|offer| serde_json::to_value(&offer.title)).transpose();
                let options = offer.map(|offer| &offer.options);
                let options = options.filter(|options| !options.is_empty());
                let options = options.map(serde_json::to_value).transpose();
                rows.orders.push(order.id.as_uuid());
                rows.skus.push(line.sku.as_str());
                rows.products.push(offer.map(|offer| offer.product.as_uuid()));
                rows.prices.push(offer.map(|offer| offer.price.amount()));
                rows.currencies.push(offer.map(|offer| offer.price.currency().to_string()));
                rows.titles.push(title.map_err(undecodable)?);
                rows.options.push(options.map_err(undecodable)?);
                rows.images.push(offer.and_then(|offer| offer.image.as_deref()));
            }
        }
        Ok(rows)
    }
}

/// Updates the lines and the costs of orders that were placed before their prices were known.
pub(crate) async fn update_prices(
    connection: &mut PgConnection,
    orders: &[Order],
) -> Result<(), sqlx::Error> {
    let rows = LineColumns::new(orders)?;
    if rows.orders.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = orders.iter().map(|order| order.id.as_uuid()).collect();
    let costs: Vec<_> =
        orders.iter().map(|order| costs_value(order.costs.as_ref())).collect::<Result<_, _>>()?;
    sqlx::query!(
        r#"
        update orders o set costs = u.costs
        from unnest($1::uuid[], $2::jsonb[]) as u (id, costs)
        where o.id = u.id and u.costs is not null
        "#,
        &ids,
        &costs as &[Option<serde_json::Value>],
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        r#"
        update order_line l
        set product_id = u.product_id, unit_price = u.unit_price, currency = u.currency, title = u.title,
            options = u.options, image = u.image
        from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::jsonb[], $7::jsonb[], $8::text[])
            as u (order_id, sku, product_id, unit_price, currency, title, options, image)
        where l.order_id = u.order_id and l.sku = u.sku and l.unit_price is null
        "#,
        &rows.orders,
        &rows.skus as &[&str],
        &rows.products as &[Option<Uuid>],
        &rows.prices as &[Option<i64>],
        &rows.currencies as &[Option<String>],
        &rows.titles as &[Option<serde_json::Value>],
        &rows.options as &[Option<serde_json::Value>],
        &rows.images as &[Option<&str>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The columns of `orders` that the order process needs.
struct OrderRow {
    id: Uuid,
    customer_id: Uuid,
    status: String,
    method: String,
    total: Option<i64>,
    currency: Option<String>,
    costs: Option<Json<CostsJson>>,
    reason: Option<Json<ReasonJson>>,
    payment_id: Option<Uuid>,
    placed_at: DateTime<Utc>,
    due_at: Option<DateTime<Utc>>,
    traceparent: Option<String>,
    hold_seconds: Option<i32>,
    hold_extended: bool,
    parcels: Option<Json<Vec<ParcelJson>>>,
}

/// Locks those of `orders` that exist.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, LockedOrder>, sqlx::Error> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.as_uuid()).collect();
    let rows = sqlx::query_as!(
        OrderRow,
        r#"
        select id, customer_id, status, method, total, currency, costs as "costs: Json<CostsJson>",
            reason as "reason: Json<ReasonJson>", payment_id, placed_at, due_at, traceparent, hold_seconds, hold_extended,
            parcels as "parcels: Json<Vec<ParcelJson>>"
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

/// Locks an order, if it exists.
pub(crate) async fn lock_one(
    connection: &mut PgConnection,
    order: OrderId,
) -> Result<Option<LockedOrder>, sqlx::Error> {
    Ok(lock(connection, &[order]).await?.remove(&order))
}

/// Locks the `limit` orders with the earliest passed deadlines, except `quarantined` ones and those with a locked row.
pub(crate) async fn lock_due(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    quarantined: &[OrderId],
    limit: i64,
) -> Result<Vec<LockedOrder>, sqlx::Error> {
    let quarantined: Vec<Uuid> = quarantined.iter().map(|order| order.as_uuid()).collect();
    let rows = sqlx::query_as!(
        OrderRow,
        r#"
        select id, customer_id, status, method, total, currency, costs as "costs: Json<CostsJson>",
            reason as "reason: Json<ReasonJson>", payment_id, placed_at, due_at, traceparent, hold_seconds, hold_extended,
            parcels as "parcels: Json<Vec<ParcelJson>>"
        from orders where due_at <= $1 and id <> all($2)
        order by due_at
        limit $3
        for update skip locked
        "#,
        now,
        &quarantined,
        limit,
    )
    .fetch_all(&mut *connection)
    .await?;
    with_lines(connection, rows).await
}

/// Locks an order if its deadline has passed and its row is not locked.
pub(crate) async fn lock_one_due(
    connection: &mut PgConnection,
    order: OrderId,
    now: DateTime<Utc>,
) -> Result<Option<LockedOrder>, sqlx::Error> {
    let rows = sqlx::query_as!(
        OrderRow,
        r#"
        select id, customer_id, status, method, total, currency, costs as "costs: Json<CostsJson>",
            reason as "reason: Json<ReasonJson>", payment_id, placed_at, due_at, traceparent, hold_seconds, hold_extended,
            parcels as "parcels: Json<Vec<ParcelJson>>"
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

/// The ids of the orders that [`lock_due`] looks for. No other column is read, so an invalid row causes no error here.
pub(crate) async fn due_ids(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    quarantined: &[OrderId],
    limit: i64,
) -> Result<Vec<OrderId>, sqlx::Error> {
    let quarantined: Vec<Uuid> = quarantined.iter().map(|order| order.as_uuid()).collect();
    let due = sqlx::query_scalar!(
        "select id from orders where due_at <= $1 and id <> all($2) order by due_at limit $3",
        now,
        &quarantined,
        limit,
    );
    Ok(due.fetch_all(connection).await?.into_iter().map(OrderId::from).collect())
}

/// The earliest deadline, except those of `quarantined` orders.
pub(crate) async fn next_deadline(
    connection: &mut PgConnection,
    quarantined: &[OrderId],
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let quarantined: Vec<Uuid> = quarantined.iter().map(|order| order.as_uuid()).collect();
    sqlx::query_scalar!(
        "select min(due_at) from orders where due_at is not null and id <> all($1)",
        &quarantined,
    )
    .fetch_one(connection)
    .await
}

async fn with_lines(
    connection: &mut PgConnection,
    rows: Vec<OrderRow>,
) -> Result<Vec<LockedOrder>, sqlx::Error> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut lines = lines_of(connection, &ids).await?;
    let locked = rows.into_iter().map(|row| {
        let lines = lines.remove(&row.id).unwrap_or_default();
        let trace = row.traceparent.as_deref().and_then(TraceContext::parse);
        Ok(LockedOrder { order: order(&row, lines)?, trace })
    });
    locked.collect()
}

/// The lines of `orders`, sorted by SKU.
pub(super) async fn lines_of(
    connection: &mut PgConnection,
    orders: &[Uuid],
) -> Result<HashMap<Uuid, Vec<OrderLine>>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select order_id, sku, quantity, cancelled, returned, product_id, unit_price, currency, title as "title: Json<Localized>",
            options as "options: Json<BTreeMap<String, String>>", image
        from order_line where order_id = any($1)
        order by order_id, sku collate "C"
        "#,
        orders,
    )
    .fetch_all(connection)
    .await?;
    let mut lines: HashMap<Uuid, Vec<OrderLine>> = HashMap::new();
    for row in rows {
        let offer = match (row.product_id, row.unit_price, row.currency) {
            (Some(product), Some(price), Some(currency)) => Some(Offer {
                product: product.into(),
                price: money(price, &currency)?,
                title: row.title.map(|title| title.0).unwrap_or_default(),
                options: row.options.map(|options| options.0).unwrap_or_default(),
                image: row.image,
            }),
            _ => None,
        };
        let line = OrderLine {
            sku: row.sku.try_into().map_err(undecodable)?,
            quantity: Quantity::try_from(i64::from(row.quantity)).map_err(undecodable)?,
            cancelled: u32::try_from(row.cancelled).map_err(undecodable)?,
            returned: u32::try_from(row.returned).map_err(undecodable)?,
            offer,
        };
        lines.entry(row.order_id).or_default().push(line);
    }
    Ok(lines)
}

fn order(row: &OrderRow, lines: Vec<OrderLine>) -> Result<Order, sqlx::Error> {
    let deadline = || row.due_at.ok_or_else(|| undecodable(MissingColumn("due_at")));
    let reason = || {
        let reason = row.reason.clone().map(|reason| EndReason::from(reason.0));
        reason.ok_or_else(|| undecodable(MissingColumn("reason")))
    };
    let status: OrderStatus = row.status.parse().map_err(undecodable)?;
    let state = match status {
        OrderStatus::Placed => OrderState::Placed { expires_at: deadline()? },
        OrderStatus::Reserved => {
            let length = row.hold_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            let length = length.map(Duration::from_secs);
            let hold = Hold { length, is_extended: row.hold_extended };
            OrderState::Reserved { expires_at: deadline()?, hold }
        }
        OrderStatus::Confirmed => {
            let payment = row.payment_id.ok_or_else(|| undecodable(MissingColumn("payment_id")))?;
            let ships_at = Some(deadline()?).filter(|at| *at < no_deadline());
            OrderState::Confirmed { payment: payment.into(), ships_at }
        }
        OrderStatus::Shipped => OrderState::Shipped { delivers_at: row.due_at },
        OrderStatus::Delivered => OrderState::Delivered,
        OrderStatus::Returned => OrderState::Returned,
        OrderStatus::Rejected => OrderState::Rejected(reason()?),
        OrderStatus::PaymentFailed => OrderState::PaymentFailed(reason()?),
        OrderStatus::Expired => OrderState::Expired(reason()?),
        OrderStatus::Cancelled => OrderState::Cancelled(reason()?),
    };
    Ok(Order {
        id: row.id.into(),
        customer: row.customer_id.into(),
        method: row.method.parse().map_err(undecodable)?,
        lines,
        costs: costs(
            optional_money(row.total, row.currency.as_deref())?,
            row.costs.clone().map(|costs| costs.0),
        )?,
        placed_at: row.placed_at,
        parcels: parcels_from_json(row.parcels.as_ref().map(|parcels| parcels.0.clone()), status)?,
        state,
    })
}

/// The deadline of a confirmed order that has none: an older version of the program requires one.
fn no_deadline() -> DateTime<Utc> {
    DateTime::<Utc>::from_timestamp(253_370_764_800, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// What is stored as the deadline.
fn stored_deadline(order: &Order) -> Option<DateTime<Utc>> {
    let is_confirmed = order.status() == OrderStatus::Confirmed;
    order.state.deadline().or_else(|| is_confirmed.then(no_deadline))
}

/// Updates the state of `orders`, whose rows are locked.
pub(crate) async fn update(
    connection: &mut PgConnection,
    orders: &[&Order],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.id.as_uuid()).collect();
    let statuses: Vec<&str> = orders.iter().map(|order| order.status().as_str()).collect();
    let totals: Vec<Option<i64>> =
        orders.iter().map(|order| order.total().map(Money::amount)).collect();
    let currencies: Vec<Option<String>> = orders
        .iter()
        .map(|order| order.total().map(|total| total.currency().to_string()))
        .collect();
    let reasons = orders.iter().map(|order| {
        order.state.reason().map(ReasonJson::from).map(serde_json::to_value).transpose()
    });
    let reasons: Vec<_> = reasons.collect::<Result<_, _>>().map_err(undecodable)?;
    let payments: Vec<Option<Uuid>> =
        orders.iter().map(|order| order.state.payment().map(PaymentId::as_uuid)).collect();
    let deadlines: Vec<Option<DateTime<Utc>>> =
        orders.iter().map(|order| stored_deadline(order)).collect();
    let hold_of = |order: &&Order| order.state.hold();
    let seconds = |hold: Hold| hold.length.and_then(|length| i32::try_from(length.as_secs()).ok());
    let holds: Vec<Option<i32>> =
        orders.iter().map(|order| hold_of(order).and_then(seconds)).collect();
    let extended: Vec<bool> =
        orders.iter().map(|order| hold_of(order).is_some_and(|hold| hold.is_extended)).collect();
    let parcels = orders
        .iter()
        .map(|order| parcels_to_json(&order.parcels).map(serde_json::to_value).transpose());
    let parcels: Vec<_> = parcels.collect::<Result<_, _>>().map_err(undecodable)?;
    sqlx::query!(
        r#"
        update orders o
        set status = u.status, total = u.total, currency = u.currency, reason = u.reason,
            payment_id = coalesce(u.payment_id, o.payment_id), due_at = u.due_at, changed_at = $8,
            hold_seconds = coalesce(u.hold_seconds, o.hold_seconds), hold_extended = o.hold_extended or u.hold_extended,
            parcels = coalesce(u.parcels, o.parcels)
        from unnest(
            $1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::jsonb[], $6::uuid[], $7::timestamptz[], $9::integer[],
            $10::boolean[], $11::jsonb[]
        ) as u (id, status, total, currency, reason, payment_id, due_at, hold_seconds, hold_extended, parcels)
        where o.id = u.id
        "#,
        &ids,
        &statuses as &[&str],
        &totals as &[Option<i64>],
        &currencies as &[Option<String>],
        &reasons as &[Option<serde_json::Value>],
        &payments as &[Option<Uuid>],
        &deadlines as &[Option<DateTime<Utc>>],
        now,
        &holds as &[Option<i32>],
        &extended,
        &parcels as &[Option<serde_json::Value>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves the deadlines of those of `orders` that wait for their stock, their payment or their shipment to `until`, unless they are later.
pub(crate) async fn postpone(
    connection: &mut PgConnection,
    orders: &[OrderId],
    until: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.as_uuid()).collect();
    sqlx::query!(
        "update orders set due_at = greatest(due_at, $2) where id = any($1) and status in ('placed', 'reserved', 'confirmed')",
        &ids,
        until,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The shipping addresses of `orders`, except erased ones.
pub(crate) async fn addresses(
    connection: &mut PgConnection,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, Address>, sqlx::Error> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"select id, shipping_address as "address: Json<AddressJson>" from orders where id = any($1)"#,
        &ids,
    );
    let rows = rows.fetch_all(connection).await?.into_iter();
    Ok(rows.filter_map(|row| Some((row.id.into(), row.address.0.into_address()?))).collect())
}

/// The customer and the status of an order, if it exists.
pub(crate) async fn customer_and_status(
    connection: &mut PgConnection,
    order: OrderId,
) -> Result<Option<(CustomerId, OrderStatus)>, sqlx::Error> {
    let row = sqlx::query!("select customer_id, status from orders where id = $1", order.as_uuid())
        .fetch_optional(connection)
        .await?;
    row.map(|row| Ok((row.customer_id.into(), row.status.parse().map_err(undecodable)?)))
        .transpose()
}
