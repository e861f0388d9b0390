//! Shipments.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::OrderId;

use crate::domain::Shipment;

/// Inserts shipments, each with its order.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    shipped: &[(OrderId, &Shipment)],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if shipped.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = shipped.iter().map(|(_, shipment)| shipment.id.as_uuid()).collect();
    let orders: Vec<Uuid> = shipped.iter().map(|(order, _)| order.as_uuid()).collect();
    let carriers: Vec<&str> =
        shipped.iter().map(|(_, shipment)| shipment.carrier.as_str()).collect();
    let numbers: Vec<&str> =
        shipped.iter().map(|(_, shipment)| shipment.tracking_number.as_str()).collect();
    sqlx::query!(
        r#"
        insert into shipment (id, order_id, carrier, tracking_number, shipped_at)
        select id, order_id, carrier, tracking_number, $5
        from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as new (id, order_id, carrier, tracking_number)
        "#,
        &ids,
        &orders,
        &carriers as &[&str],
        &numbers as &[&str],
        at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks the shipments of `orders` as delivered.
pub(crate) async fn mark_delivered(
    connection: &mut PgConnection,
    orders: &[OrderId],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if orders.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = orders.iter().map(|order| order.as_uuid()).collect();
    sqlx::query!("update shipment set delivered_at = $2 where order_id = any($1)", &ids, at)
        .execute(connection)
        .await?;
    Ok(())
}
