//! The unpaid orders of customers.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{CustomerId, OrderId};

use super::undecodable;
use crate::domain::UnpaidOrders;

/// Reads the unpaid orders of `customers` that wait for a payment by hand. Until the end of the transaction no other
/// transaction reads those of the same customers: of several orders at once each counts the others.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    customers: &[CustomerId],
) -> Result<HashMap<CustomerId, UnpaidOrders>, sqlx::Error> {
    let ids: Vec<Uuid> = customers.iter().map(|customer| customer.as_uuid()).collect();
    // Sorted, so that two transactions never deadlock.
    sqlx::query!(
        r#"
        select pg_advisory_xact_lock(hashtextextended('unpaid orders ' || id, 0))::text as locked
        from (select distinct id from unnest($1::uuid[]) as id order by id) customers
        "#,
        &ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows = sqlx::query!(
        r#"
        select o.customer_id, o.id, l.sku, l.quantity
        from orders o
        join order_line l on l.order_id = o.id
        where o.customer_id = any($1) and o.status in ('placed', 'reserved') and o.method = 'manual'
        "#,
        &ids,
    )
    .fetch_all(connection)
    .await?;
    let mut unpaid: HashMap<CustomerId, UnpaidOrders> = HashMap::new();
    let mut counted: HashSet<OrderId> = HashSet::new();
    for row in rows {
        let of_customer = unpaid.entry(row.customer_id.into()).or_default();
        if counted.insert(row.id.into()) {
            of_customer.orders += 1;
        }
        let sku = row.sku.try_into().map_err(undecodable)?;
        *of_customer.pieces.entry(sku).or_default() += row.quantity.unsigned_abs();
    }
    Ok(unpaid)
}
