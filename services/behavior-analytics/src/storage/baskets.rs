//! Baskets: the products of paid orders.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::write_locks;
use crate::domain::basket::Basket;

/// Inserts baskets, each order once, without those of erased customers.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    baskets: &[Basket],
) -> Result<(), sqlx::Error> {
    write_locks::lock_baskets(&mut *connection).await?;
    write_locks::lock_erasures_shared(&mut *connection).await?;
    let orders: Vec<Uuid> = baskets.iter().map(|basket| basket.order_id.as_uuid()).collect();
    let customers: Vec<Uuid> = baskets.iter().map(|basket| basket.customer_id.as_uuid()).collect();
    let times: Vec<DateTime<Utc>> = baskets.iter().map(|basket| basket.bought_at).collect();
    let lines = || baskets.iter().flat_map(|one| one.products.iter().map(move |id| (one, id)));
    let line_orders: Vec<Uuid> = lines().map(|(basket, _)| basket.order_id.as_uuid()).collect();
    let line_products: Vec<Uuid> = lines().map(|(_, product)| product.as_uuid()).collect();
    sqlx::query!(
        r#"
        with line as (
            select order_id, array_agg(product_id order by place) as products
            from unnest($4::uuid[], $5::uuid[]) with ordinality as l (order_id, product_id, place)
            group by order_id
        )
        insert into basket (order_id, customer_id, products, bought_at)
        select b.order_id, b.customer_id, l.products, b.bought_at
        from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) with ordinality
            as b (order_id, customer_id, bought_at, place)
        join line l on l.order_id = b.order_id
        where not exists (select from erasure e where e.visitor_id = b.customer_id::text)
        order by b.place
        on conflict (order_id) do nothing
        "#,
        &orders,
        &customers,
        &times,
        &line_orders,
        &line_products,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A basket with its row number.
#[derive(Debug, Clone)]
pub(crate) struct NumberedBasket {
    pub(crate) no: i64,
    pub(crate) order_id: Uuid,
    pub(crate) customer_id: Uuid,
    pub(crate) products: Vec<Uuid>,
    pub(crate) bought_at: DateTime<Utc>,
}

/// The first `limit` baskets with a number greater than `after` that were bought at or after `since`.
pub(crate) async fn after(
    connection: &mut PgConnection,
    after: i64,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<NumberedBasket>, sqlx::Error> {
    sqlx::query_as!(
        NumberedBasket,
        r#"
        select no, order_id, customer_id, products, bought_at
        from basket
        where no > $1 and bought_at >= $2
        order by no
        limit $3
        "#,
        after,
        since,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Deletes the baskets that were bought before `before`.
pub(crate) async fn delete_expired(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from basket where bought_at < $1", before).execute(connection).await?;
    Ok(())
}
