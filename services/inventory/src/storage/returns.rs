//! The returns that were received. A handler of an order's events holds the order's cursor, so it is the only writer of its returns.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{OrderId, ReturnId};

/// Those of `returns` that were received before.
pub(crate) async fn received(
    connection: &mut PgConnection,
    returns: &[ReturnId],
) -> Result<HashSet<ReturnId>, sqlx::Error> {
    let ids: Vec<Uuid> = returns.iter().map(|id| id.as_uuid()).collect();
    let received = sqlx::query_scalar!(
        "select return_id from received_return where return_id = any($1)",
        &ids
    );
    Ok(received.fetch_all(connection).await?.into_iter().map(ReturnId::from).collect())
}

/// Lists returns as received, each with its order.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    returns: &[(ReturnId, OrderId)],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = returns.iter().map(|(id, _)| id.as_uuid()).collect();
    let orders: Vec<Uuid> = returns.iter().map(|(_, order)| order.as_uuid()).collect();
    sqlx::query!(
        r#"
        insert into received_return (return_id, order_id, received_at)
        select return_id, order_id, $3 from unnest($1::uuid[], $2::uuid[]) as new (return_id, order_id)
        "#,
        &ids,
        &orders,
        at,
    )
    .execute(connection)
    .await?;
    Ok(())
}
