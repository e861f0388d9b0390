//! Products of the catalogue, and the stock of their SKUs.

use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{ProductId, Version};

use super::write_locks;
use crate::domain::product::{CatalogProduct, ProductChange, ProductInfo, ProductStatus, SkuStock};

/// Writes products, each once, unless the same or a later version is stored. Returns the number of written
/// products.
pub(crate) async fn upsert_newer(
    connection: &mut PgConnection,
    products: &[CatalogProduct<'_>],
) -> Result<u64, sqlx::Error> {
    write_locks::lock_products(&mut *connection).await?;
    let ids: Vec<Uuid> = products.iter().map(|product| product.product_id.as_uuid()).collect();
    let versions: Vec<i64> = products.iter().map(|product| product.version.get()).collect();
    let categories: Vec<&str> = products.iter().map(|product| product.category).collect();
    let statuses: Vec<&str> = products.iter().map(|product| name_of(product.status)).collect();
    let listed = || products.iter().flat_map(|one| one.skus.iter().map(move |sku| (one, sku)));
    let sku_products: Vec<Uuid> = listed().map(|(one, _)| one.product_id.as_uuid()).collect();
    let skus: Vec<&str> = listed().map(|(_, sku)| sku.as_str()).collect();
    let done = sqlx::query!(
        r#"
        with listed as (
            select l.product_id, array_agg(l.sku order by l.sku) as skus, coalesce(bool_or(s.available > 0), false) as in_stock
            from unnest($5::uuid[], $6::text[]) as l (product_id, sku)
            left join sku_stock s on s.sku = l.sku
            group by l.product_id
        )
        insert into product as p (product_id, version, category, status, deleted, skus, in_stock)
        select u.product_id, u.version, u.category, u.status, false, coalesce(l.skus, '{}'), coalesce(l.in_stock, false)
        from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) as u (product_id, version, category, status)
        left join listed l on l.product_id = u.product_id
        on conflict (product_id) do update set
            version = excluded.version,
            category = excluded.category,
            status = excluded.status,
            deleted = false,
            skus = excluded.skus,
            in_stock = excluded.in_stock,
            change = nextval('product_change')
        where p.version < excluded.version
        "#,
        &ids,
        &versions,
        &categories as &[&str],
        &statuses as &[&str],
        &sku_products,
        &skus as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

const fn name_of(status: ProductStatus) -> &'static str {
    match status {
        ProductStatus::Draft => "draft",
        ProductStatus::Active => "active",
        ProductStatus::Archived => "archived",
    }
}

/// Marks products as deleted, each once, unless the same or a later version is stored.
pub(crate) async fn mark_deleted(
    connection: &mut PgConnection,
    deleted: &[(ProductId, Version)],
) -> Result<(), sqlx::Error> {
    write_locks::lock_products(&mut *connection).await?;
    let ids: Vec<Uuid> = deleted.iter().map(|(product, _)| product.as_uuid()).collect();
    let versions: Vec<i64> = deleted.iter().map(|(_, version)| version.get()).collect();
    sqlx::query!(
        r#"
        insert into product as p (product_id, version, category, status, deleted, skus, in_stock)
        select product_id, version, '', 'archived', true, '{}', false
        from unnest($1::uuid[], $2::bigint[]) as u (product_id, version)
        on conflict (product_id) do update set
            version = excluded.version,
            deleted = true,
            skus = excluded.skus,
            in_stock = false,
            change = nextval('product_change')
        where p.version < excluded.version
        "#,
        &ids,
        &versions,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes the stock of SKUs, each once, unless the same or a later version is stored. A product gets a new
/// change number only if its availability changes.
pub(crate) async fn update_stock(
    connection: &mut PgConnection,
    stock: &[SkuStock<'_>],
) -> Result<(), sqlx::Error> {
    write_locks::lock_products(&mut *connection).await?;
    let skus: Vec<&str> = stock.iter().map(|one| one.sku.as_str()).collect();
    let versions: Vec<i64> = stock.iter().map(|one| one.version.get()).collect();
    let available: Vec<i64> = stock.iter().map(|one| one.available).collect();
    // Only SKUs that ran out or came back can change their product; most updates do neither.
    let changed_skus = sqlx::query_scalar!(
        r#"
        with before as (
            select sku, available > 0 as in_stock from sku_stock where sku = any($1)
        ), written as (
            insert into sku_stock as s (sku, version, available)
            select sku, version, available from unnest($1::text[], $2::bigint[], $3::bigint[]) as u (sku, version, available)
            on conflict (sku) do update set version = excluded.version, available = excluded.available
            where s.version < excluded.version
            returning sku, available > 0 as in_stock
        )
        select w.sku as "sku!" from written w left join before b using (sku) where b.in_stock is distinct from w.in_stock
        "#,
        &skus as &[&str],
        &versions,
        &available,
    )
    .fetch_all(&mut *connection)
    .await?;
    if changed_skus.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"
        update product p
        set in_stock = not p.in_stock, change = nextval('product_change')
        where p.skus && $1::text[]
            and p.in_stock <> exists (select from sku_stock s where s.sku = any(p.skus) and s.available > 0)
        "#,
        &changed_skus,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The first `limit` changes with a number greater than `after`, each with its number. A product has only its
/// latest change.
pub(crate) async fn changes_after(
    connection: &mut PgConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, ProductChange)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select change, product_id, category, status = 'active' as "active!", deleted, in_stock
        from product
        where change > $1
        order by change
        limit $2
        "#,
        after,
        limit,
    )
    .fetch_all(connection)
    .await?;
    let changes = rows.into_iter().map(|row| {
        let change = if row.deleted {
            ProductChange::Deleted(row.product_id)
        } else {
            ProductChange::Updated(ProductInfo {
                id: row.product_id,
                category: Arc::from(row.category),
                in_stock: row.in_stock,
                active: row.active,
            })
        };
        (row.change, change)
    });
    Ok(changes.collect())
}

/// Those of `products` that the catalogue has or had.
pub(crate) async fn known(
    connection: &mut PgConnection,
    products: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!("select product_id from product where product_id = any($1)", products)
        .fetch_all(connection)
        .await
}

/// The products with one of `skus`, each with this SKU.
pub(crate) async fn with_skus(
    connection: &mut PgConnection,
    skus: &[String],
) -> Result<Vec<(String, Uuid)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select s.sku as "sku!", p.product_id
        from product p
        cross join lateral unnest(p.skus) as s (sku)
        where p.skus && $1::text[] and s.sku = any($1) and not p.deleted
        order by p.product_id
        "#,
        skus,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.sku, row.product_id)).collect())
}
