//! Shipments.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{OrderId, ParcelId};

use crate::domain::Shipment;

/// Inserts shipments, each with its order and its parcel.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    shipped: &[(OrderId, ParcelId, &Shipment)],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if shipped.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = shipped.iter().map(|(.., shipment)| shipment.id.as_uuid()).collect();
    let orders: Vec<Uuid> = shipped.iter().map(|(order, ..)| order.as_uuid()).collect();
    let parcels: Vec<Uuid> = shipped.iter().map(|(_, parcel, _)| parcel.as_uuid()).collect();
    let carriers: Vec<&str> =
        shipped.iter().map(|(.., shipment)| shipment.carrier.as_str()).collect();
    let numbers: Vec<&str> =
        shipped.iter().map(|(.., shipment)| shipment.tracking_number.as_str()).collect();
    sqlx::query!(
        r#"
        insert into shipment (id, order_id, carrier, tracking_number, shipped_at, parcel_id)
        select id, order_id, carrier, tracking_number, $5, parcel_id
        from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $6::uuid[])
            as new (id, order_id, carrier, tracking_number, parcel_id)
        "#,
        &ids,
        &orders,
        &carriers as &[&str],
        &numbers as &[&str],
        at,
        &parcels,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// When the last shipment of an order was delivered.
pub(crate) async fn last_delivery(
    connection: &mut PgConnection,
    order: OrderId,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select max(delivered_at) from shipment where order_id = $1",
        order.as_uuid()
    )
    .fetch_one(connection)
    .await
}

/// Marks single parcels as delivered.
pub(crate) async fn mark_parcels_delivered(
    connection: &mut PgConnection,
    delivered: &[(OrderId, ParcelId)],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if delivered.is_empty() {
        return Ok(());
    }
    let orders: Vec<Uuid> = delivered.iter().map(|(order, _)| order.as_uuid()).collect();
    let parcels: Vec<Uuid> = delivered.iter().map(|(_, parcel)| parcel.as_uuid()).collect();
    sqlx::query!(
        r#"
        update shipment s set delivered_at = $3
        from unnest($1::uuid[], $2::uuid[]) as d (order_id, parcel_id)
        where s.order_id = d.order_id and s.parcel_id = d.parcel_id
        "#,
        &orders,
        &parcels,
        at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Marks the shipments of `orders` as delivered, except those that were before.
pub(crate) async fn mark_delivered(
    connection: &mut PgConnection,
    orders: &[OrderId],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if orders.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = orders.iter().map(|order| order.as_uuid()).collect();
    sqlx::query!(
        "update shipment set delivered_at = $2 where order_id = any($1) and delivered_at is null",
        &ids,
        at,
    )
    .execute(connection)
    .await?;
    Ok(())
}
