//! Reservations and their lines. A handler of an order's events holds the order's cursor, so it is the only
//! writer of the order's reservation.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::OrderId;

use super::undecodable;
use crate::domain::{Allocation, Reservation, ReservationState};

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

/// Moves the open reservations of `orders` to the final state `state`.
pub(crate) async fn close(
    connection: &mut PgConnection,
    orders: &[OrderId],
    state: ReservationState,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
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
