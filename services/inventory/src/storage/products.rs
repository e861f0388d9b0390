//! The copy of the catalogue: the version of each product, and the SKUs that it lists.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{ProductId, Sku, Version};

use crate::domain::DEFAULT_WAREHOUSE;

/// Stores the given version of each product, and returns the products that were older. A product already
/// stored in the same or a later version stays unchanged. Each product may occur once.
pub(crate) async fn upsert_newer(
    connection: &mut PgConnection,
    versions: &[(ProductId, Version)],
    deleted: bool,
) -> Result<Vec<ProductId>, sqlx::Error> {
    let products: Vec<Uuid> = versions.iter().map(|(product, _)| product.as_uuid()).collect();
    let versions: Vec<i64> = versions.iter().map(|(_, version)| version.get()).collect();
    let updated = sqlx::query_scalar!(
        r#"
        insert into product as p (product_id, version, deleted)
        select product_id, version, $3 from unnest($1::uuid[], $2::bigint[]) as u (product_id, version)
        order by product_id
        on conflict (product_id) do update set version = excluded.version, deleted = excluded.deleted
        where p.version < excluded.version
        returning product_id
        "#,
        &products,
        &versions,
        deleted,
    )
    .fetch_all(connection)
    .await?;
    Ok(updated.into_iter().map(ProductId::from).collect())
}

/// Makes `listed` the SKUs of `products`. New SKUs start with zero stock in the default warehouse. SKUs no
/// longer listed are marked as withdrawn and keep their stock.
pub(crate) async fn replace_skus(
    connection: &mut PgConnection,
    products: &[ProductId],
    listed: &[(ProductId, &Sku)],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let products: Vec<Uuid> = products.iter().map(|product| product.as_uuid()).collect();
    let listed_products: Vec<Uuid> = listed.iter().map(|(product, _)| product.as_uuid()).collect();
    let skus: Vec<&str> = listed.iter().map(|(_, sku)| sku.as_str()).collect();
    sqlx::query!(
        r#"
        with listed as (
            select distinct product_id, sku from unnest($2::uuid[], $3::text[]) as u (product_id, sku)
        ), kept as (
            insert into product_sku (product_id, sku)
            select product_id, sku from listed order by product_id, sku
            on conflict (product_id, sku) do update set withdrawn_at = null
            where product_sku.withdrawn_at is not null
        ), withdrawn as (
            update product_sku set withdrawn_at = $4
            where product_id = any($1) and withdrawn_at is null
                and (product_id, sku) not in (select product_id, sku from listed)
        ), registered as (
            insert into item (sku, registered_at)
            select distinct sku, $4::timestamptz from listed order by sku
            on conflict (sku) do nothing
            returning sku
        )
        insert into stock (sku, warehouse_id, on_hand, reserved)
        select sku, $5, 0, 0 from registered
        "#,
        &products,
        &listed_products,
        &skus as &[&str],
        at,
        DEFAULT_WAREHOUSE,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether products listed the SKU in the past, and none lists it now.
pub(crate) async fn is_withdrawn(
    connection: &mut PgConnection,
    sku: &Sku,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select coalesce(bool_and(withdrawn_at is not null), false) as "withdrawn!" from product_sku where sku = $1"#,
        sku.as_str(),
    )
    .fetch_one(connection)
    .await
}
