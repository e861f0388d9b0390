//! Orders whose commits were lost.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::OrderId;

use super::undecodable;
use crate::domain::{OrderStatus, ReportedStock};

/// Those of `orders` that do not exist.
pub(crate) async fn missing(
    connection: &mut PgConnection,
    orders: &[OrderId],
) -> Result<Vec<OrderId>, sqlx::Error> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.as_uuid()).collect();
    let missing = sqlx::query_scalar!(
        r#"
        select id as "id!" from unnest($1::uuid[]) as wanted (id)
        where not exists (select from orders where orders.id = wanted.id)
        "#,
        &ids,
    );
    Ok(missing.fetch_all(connection).await?.into_iter().map(OrderId::from).collect())
}

/// Inserts lost orders of whose stock nothing is known yet.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    orders: &[OrderId],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.as_uuid()).collect();
    sqlx::query!(
        "insert into lost_order (order_id, found_at, changed_at) select id, $2, $2 from unnest($1::uuid[]) as lost (id)
         on conflict do nothing",
        &ids,
        at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records what inventory tells about those of `orders` that are lost, and returns them.
pub(crate) async fn record_stock(
    connection: &mut PgConnection,
    orders: &[OrderId],
    stock: ReportedStock,
    at: DateTime<Utc>,
) -> Result<HashSet<OrderId>, sqlx::Error> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.as_uuid()).collect();
    let lost = sqlx::query_scalar!(
        r#"
        update lost_order set stock = $2, changed_at = $3
        where order_id in (select order_id from lost_order where order_id = any($1) order by order_id for update)
        returning order_id
        "#,
        &ids,
        stock.as_str(),
        at,
    );
    Ok(lost.fetch_all(connection).await?.into_iter().map(OrderId::from).collect())
}

/// Inserts orders that exist, but in an earlier status than their stock.
pub(crate) async fn insert_contradicted(
    connection: &mut PgConnection,
    orders: &[OrderId],
    stock: ReportedStock,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if orders.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = orders.iter().map(|order| order.as_uuid()).collect();
    sqlx::query!(
        r#"
        insert into lost_order (order_id, stock, found_at, changed_at)
        select distinct id, $2, $3::timestamptz, $3 from unnest($1::uuid[]) as lost (id) order by id
        on conflict (order_id) do update set stock = excluded.stock, changed_at = excluded.changed_at
        "#,
        &ids,
        stock.as_str(),
        at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// An order whose commits were lost.
#[derive(Debug)]
pub(crate) struct LostOrder {
    pub(crate) order: OrderId,
    /// None if the order does not exist any more.
    pub(crate) status: Option<OrderStatus>,
    pub(crate) stock: Option<ReportedStock>,
    pub(crate) found_at: DateTime<Utc>,
}

/// Lost orders with this stock, or all, newest first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    stock: Option<ReportedStock>,
    before: Option<OrderId>,
    limit: i64,
) -> Result<Vec<LostOrder>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select l.order_id, l.stock, l.found_at, o.status as "status?"
        from lost_order l
        left join orders o on o.id = l.order_id
        where ($1::text is null or l.stock = $1) and l.order_id < $2
        order by l.order_id desc
        limit $3
        "#,
        stock.map(ReportedStock::as_str),
        before.map_or(Uuid::max(), OrderId::as_uuid),
        limit,
    );
    let orders = rows.fetch_all(connection).await?.into_iter().map(|row| {
        Ok(LostOrder {
            order: row.order_id.into(),
            status: row.status.map(|status| status.parse()).transpose().map_err(undecodable)?,
            stock: row.stock.map(|stock| stock.parse()).transpose().map_err(undecodable)?,
            found_at: row.found_at,
        })
    });
    orders.collect()
}
