//! What was bought together.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{CustomerId, OrderId, ProductId};

use super::turns;

/// The products of a paid order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basket {
    /// Which order.
    pub order_id: OrderId,
    /// Whose.
    pub customer_id: CustomerId,
    /// Each once, in the order of the lines.
    pub products: Vec<ProductId>,
    /// When it was paid.
    pub bought_at: DateTime<Utc>,
}

/// Keeps baskets, each order once; those of customers who were erased are left out.
pub async fn insert(connection: &mut PgConnection, baskets: &[Basket]) -> Result<(), sqlx::Error> {
    turns::take_baskets(&mut *connection).await?;
    turns::heed_erasures(&mut *connection).await?;
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

/// A basket as it is learned.
#[derive(Debug, Clone)]
pub struct Learned {
    /// Its number.
    pub no: i64,
    /// Which order.
    pub order_id: Uuid,
    /// What was bought.
    pub products: Vec<Uuid>,
    /// When.
    pub bought_at: DateTime<Utc>,
}

/// The next `limit` baskets behind the number `after` that were bought at or after `since`.
pub async fn after(
    connection: &mut PgConnection,
    after: i64,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Learned>, sqlx::Error> {
    sqlx::query_as!(
        Learned,
        r#"
        select no, order_id, products, bought_at
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
pub async fn expire(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query!("delete from basket where bought_at < $1", before).execute(connection).await?;
    Ok(done.rows_affected())
}
