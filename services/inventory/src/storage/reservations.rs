//! Reservations and their lines. A handler of an order's events holds the order's cursor, so it is the only
//! writer of the order's reservation.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{OrderId, ParcelId, RefundId, Sku, WarehouseId};

use super::undecodable;
use crate::domain::{Allocation, Reservation, ReservationState, ShippedParcel};

/// Inserts reservations with their lines, in one statement.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    reservations: &[Reservation],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if reservations.is_empty() {
        return Ok(());
    }
    let orders: Vec<Uuid> =
        reservations.iter().map(|reservation| reservation.order.as_uuid()).collect();
    let lines: Vec<(OrderId, &Allocation)> = reservations
        .iter()
        .flat_map(|reservation| {
            reservation.allocations.iter().map(|line| (reservation.order, line))
        })
        .collect();
    let line_orders: Vec<Uuid> = lines.iter().map(|(order, _)| order.as_uuid()).collect();
    let skus: Vec<&str> = lines.iter().map(|(_, line)| line.sku.as_str()).collect();
    let warehouses: Vec<Uuid> = lines.iter().map(|(_, line)| line.warehouse.as_uuid()).collect();
    let quantities: Vec<i64> = lines.iter().map(|(_, line)| line.quantity).collect();
    sqlx::query!(
        r#"
        with made as (
            insert into reservation (order_id, state, reserved_at) select unnest($1::uuid[]), 'reserved', $2
        )
        insert into reservation_line (order_id, sku, warehouse_id, quantity)
        select * from unnest($3::uuid[], $4::text[], $5::uuid[], $6::bigint[])
        "#,
        &orders,
        at,
        &line_orders,
        &skus as &[&str],
        &warehouses,
        &quantities,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The reservations of `orders`, by order; absent if an order has none.
pub(crate) async fn of_orders(
    connection: &mut PgConnection,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, Reservation>, sqlx::Error> {
    let orders: Vec<Uuid> = orders.iter().map(|order| order.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"
        select r.order_id, r.state, l.sku as "sku?", l.warehouse_id as "warehouse_id?", l.quantity as "quantity?"
        from reservation r
        left join reservation_line l on l.order_id = r.order_id
        where r.order_id = any($1)
        order by r.order_id, l.sku, l.warehouse_id
        "#,
        &orders,
    )
    .fetch_all(connection)
    .await?;
    let mut reservations = HashMap::new();
    for row in rows {
        let order = OrderId::from(row.order_id);
        let reservation = reservations.entry(order).or_insert_with(|| Reservation {
            order,
            state: ReservationState::parse(&row.state),
            allocations: Vec::new(),
        });
        if let (Some(sku), Some(warehouse), Some(quantity)) =
            (row.sku, row.warehouse_id, row.quantity)
        {
            let sku = sku.try_into().map_err(undecodable)?;
            reservation.allocations.push(Allocation { sku, warehouse: warehouse.into(), quantity });
        }
    }
    Ok(reservations)
}

/// Those of `parcels` that were deducted from reservations that held other pieces as well.
pub(crate) async fn deducted_parcels(
    connection: &mut PgConnection,
    parcels: &[ParcelId],
) -> Result<HashSet<ParcelId>, sqlx::Error> {
    let parcels: Vec<Uuid> = parcels.iter().map(|parcel| parcel.as_uuid()).collect();
    let deducted = sqlx::query_scalar!(
        "select distinct parcel_id from deducted_line where parcel_id = any($1)",
        &parcels,
    );
    Ok(deducted.fetch_all(connection).await?.into_iter().map(ParcelId::from).collect())
}

/// Moves the pieces of parcels out of the lines of their reservations. So an older program, which knows no parcels, releases or deducts
/// only what is left.
pub(crate) async fn deduct_parcels(
    connection: &mut PgConnection,
    parcels: &[(OrderId, &ShippedParcel)],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let moved: Vec<(OrderId, ParcelId, &Allocation)> = parcels
        .iter()
        .flat_map(|(order, parcel)| parcel.lines.iter().map(|line| (*order, parcel.id, line)))
        .collect();
    let moved_parcels: Vec<Uuid> = moved.iter().map(|(_, parcel, _)| parcel.as_uuid()).collect();
    let moved_orders: Vec<Uuid> = moved.iter().map(|(order, ..)| order.as_uuid()).collect();
    let moved_skus: Vec<&str> = moved.iter().map(|(.., line)| line.sku.as_str()).collect();
    let moved_warehouses: Vec<Uuid> =
        moved.iter().map(|(.., line)| line.warehouse.as_uuid()).collect();
    let moved_quantities: Vec<i64> = moved.iter().map(|(.., line)| line.quantity).collect();
    // A statement changes a row once, and two parcels may have pieces of one line.
    let mut sums: BTreeMap<(OrderId, &Sku, WarehouseId), i64> = BTreeMap::new();
    for (order, _, line) in &moved {
        *sums.entry((*order, &line.sku, line.warehouse)).or_default() += line.quantity;
    }
    let orders: Vec<Uuid> = sums.keys().map(|(order, ..)| order.as_uuid()).collect();
    let skus: Vec<&str> = sums.keys().map(|(_, sku, _)| sku.as_str()).collect();
    let warehouses: Vec<Uuid> = sums.keys().map(|(.., warehouse)| warehouse.as_uuid()).collect();
    let quantities: Vec<i64> = sums.into_values().collect();
    sqlx::query!(
        r#"
        with moved as (
            insert into deducted_line (parcel_id, order_id, sku, warehouse_id, quantity, deducted_at)
            select *, $6::timestamptz from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::bigint[])
        ), gone as (
            select * from unnest($7::uuid[], $8::text[], $9::uuid[], $10::bigint[])
                as g (order_id, sku, warehouse_id, quantity)
        ), reduced as (
            update reservation_line l set quantity = l.quantity - g.quantity
            from gone g
            where l.order_id = g.order_id and l.sku = g.sku and l.warehouse_id = g.warehouse_id and l.quantity > g.quantity
        )
        delete from reservation_line l
        using gone g
        where l.order_id = g.order_id and l.sku = g.sku and l.warehouse_id = g.warehouse_id and l.quantity = g.quantity
        "#,
        &moved_parcels,
        &moved_orders,
        &moved_skus as &[&str],
        &moved_warehouses,
        &moved_quantities,
        at,
        &orders,
        &skus as &[&str],
        &warehouses,
        &quantities,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Those of `cancellations` whose pieces were released before.
pub(crate) async fn released_lines(
    connection: &mut PgConnection,
    cancellations: &[RefundId],
) -> Result<HashSet<RefundId>, sqlx::Error> {
    let ids: Vec<Uuid> = cancellations.iter().map(|id| id.as_uuid()).collect();
    let released = sqlx::query_scalar!(
        "select cancellation_id from released_line where cancellation_id = any($1)",
        &ids,
    );
    Ok(released.fetch_all(connection).await?.into_iter().map(RefundId::from).collect())
}

/// Takes released pieces out of the lines of their reservations, and lists the cancellations.
pub(crate) async fn release_lines(
    connection: &mut PgConnection,
    cancellations: &[(RefundId, OrderId)],
    released: &[(OrderId, Allocation)],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = cancellations.iter().map(|(id, _)| id.as_uuid()).collect();
    let orders: Vec<Uuid> = cancellations.iter().map(|(_, order)| order.as_uuid()).collect();
    // A statement changes a row once.
    let mut sums: BTreeMap<(OrderId, &Sku, WarehouseId), i64> = BTreeMap::new();
    for (order, line) in released {
        *sums.entry((*order, &line.sku, line.warehouse)).or_default() += line.quantity;
    }
    let line_orders: Vec<Uuid> = sums.keys().map(|(order, ..)| order.as_uuid()).collect();
    let skus: Vec<&str> = sums.keys().map(|(_, sku, _)| sku.as_str()).collect();
    let warehouses: Vec<Uuid> = sums.keys().map(|(.., warehouse)| warehouse.as_uuid()).collect();
    let quantities: Vec<i64> = sums.into_values().collect();
    sqlx::query!(
        r#"
        with listed as (
            insert into released_line (cancellation_id, order_id, released_at)
            select *, $3::timestamptz from unnest($1::uuid[], $2::uuid[])
        ), gone as (
            select * from unnest($4::uuid[], $5::text[], $6::uuid[], $7::bigint[])
                as g (order_id, sku, warehouse_id, quantity)
        ), reduced as (
            update reservation_line l set quantity = l.quantity - g.quantity
            from gone g
            where l.order_id = g.order_id and l.sku = g.sku and l.warehouse_id = g.warehouse_id and l.quantity > g.quantity
        )
        delete from reservation_line l
        using gone g
        where l.order_id = g.order_id and l.sku = g.sku and l.warehouse_id = g.warehouse_id and l.quantity = g.quantity
        "#,
        &ids,
        &orders,
        at,
        &line_orders,
        &skus as &[&str],
        &warehouses,
        &quantities,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A line of a parcel that was deducted from a reservation that held other pieces as well.
#[derive(Debug)]
pub(crate) struct DeductedLine {
    pub(crate) parcel: ParcelId,
    pub(crate) line: Allocation,
    pub(crate) deducted_at: DateTime<Utc>,
}

/// What left in parcels for an order.
pub(crate) async fn deducted_lines(
    connection: &mut PgConnection,
    order: OrderId,
) -> Result<Vec<DeductedLine>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select parcel_id, sku, warehouse_id, quantity, deducted_at from deducted_line
        where order_id = $1
        order by deducted_at, parcel_id, sku
        "#,
        order.as_uuid(),
    );
    let lines = rows.fetch_all(connection).await?.into_iter().map(|row| {
        let sku = row.sku.try_into().map_err(undecodable)?;
        let line = Allocation { sku, warehouse: row.warehouse_id.into(), quantity: row.quantity };
        Ok(DeductedLine { parcel: row.parcel_id.into(), line, deducted_at: row.deducted_at })
    });
    lines.collect()
}

/// Moves the open reservations of `orders` to the final state `state`.
pub(crate) async fn close(
    connection: &mut PgConnection,
    orders: &[OrderId],
    state: ReservationState,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if orders.is_empty() {
        return Ok(());
    }
    let orders: Vec<Uuid> = orders.iter().map(|order| order.as_uuid()).collect();
    sqlx::query!(
        "update reservation set state = $2, closed_at = $3 where order_id = any($1) and state = 'reserved'",
        &orders,
        state.as_str(),
        at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// When the reservation of `order` was made and when it ended, if the order has one.
pub(crate) async fn times(
    connection: &mut PgConnection,
    order: OrderId,
) -> Result<Option<(DateTime<Utc>, Option<DateTime<Utc>>)>, sqlx::Error> {
    let row = sqlx::query!(
        "select reserved_at, closed_at from reservation where order_id = $1",
        order.as_uuid(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (row.reserved_at, row.closed_at)))
}
