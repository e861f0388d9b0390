//! The timeline of orders: appended to with every change, read by people.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::OrderId;

use super::undecodable;
use crate::domain::Status;

/// The most entries that are read at once; the longest life of an order has a dozen.
const MAX_ENTRIES: i64 = 1_000;

/// An entry that is to be written.
#[derive(Debug, Clone)]
pub(crate) struct NewEntry {
    /// Of which order.
    pub(crate) order: OrderId,
    /// When it happened.
    pub(crate) at: DateTime<Utc>,
    /// In which service.
    pub(crate) service: &'static str,
    /// What.
    pub(crate) event: &'static str,
    /// What the order was after it.
    pub(crate) status: Status,
    /// What else is to be known, an object.
    pub(crate) detail: Value,
}

/// An entry as it was written.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// Counts up within the order.
    pub(crate) position: i64,
    /// When it happened.
    pub(crate) at: DateTime<Utc>,
    /// In which service.
    pub(crate) service: String,
    /// What.
    pub(crate) event: String,
    /// What the order was after it.
    pub(crate) status: Status,
    /// What else is to be known, an object.
    pub(crate) detail: Value,
}

/// Appends `entries`, in their order. The rows of their orders are locked, or new.
pub(crate) async fn append(
    connection: &mut PgConnection,
    entries: &[NewEntry],
) -> Result<(), sqlx::Error> {
    let orders: Vec<Uuid> = entries.iter().map(|entry| entry.order.as_uuid()).collect();
    let times: Vec<DateTime<Utc>> = entries.iter().map(|entry| entry.at).collect();
    let services: Vec<&str> = entries.iter().map(|entry| entry.service).collect();
    let events: Vec<&str> = entries.iter().map(|entry| entry.event).collect();
    let statuses: Vec<&str> = entries.iter().map(|entry| entry.status.as_str()).collect();
    let details: Vec<Value> = entries.iter().map(|entry| entry.detail.clone()).collect();
    sqlx::query!(
        r#"
        insert into order_timeline (order_id, at, service, event, status, detail)
        select order_id, at, service, event, status, detail
        from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
            with ordinality as new (order_id, at, service, event, status, detail, place)
        order by place
        "#,
        &orders,
        &times,
        &services as &[&str],
        &events as &[&str],
        &statuses as &[&str],
        &details,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The entries of an order behind `position`, in the order in which they happened here.
pub(crate) async fn after(
    connection: &mut PgConnection,
    order: OrderId,
    position: i64,
) -> Result<Vec<Written>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select position, at, service, event, status, detail
        from order_timeline where order_id = $1 and position > $2
        order by position
        limit $3
        "#,
        order.as_uuid(),
        position,
        MAX_ENTRIES,
    )
    .fetch_all(connection)
    .await?;
    let written = rows.into_iter().map(|row| {
        Ok(Written {
            position: row.position,
            at: row.at,
            service: row.service,
            event: row.event,
            status: row.status.parse().map_err(undecodable)?,
            detail: row.detail,
        })
    });
    written.collect()
}
