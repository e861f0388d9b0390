//! The stock of SKUs.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;
use vocabulary::{Sku, Version};

use super::{changes, undecodable};
use crate::domain::SkuStock;

/// Locks and returns the stored stock of `skus`.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    skus: &BTreeSet<Sku>,
) -> Result<BTreeMap<Sku, SkuStock>, sqlx::Error> {
    let skus: Vec<&str> = skus.iter().map(Sku::as_str).collect();
    let rows = sqlx::query!(
        "select sku, available, version from sku_stock where sku = any($1) order by sku for update",
        &skus as &[&str],
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let sku = row.sku.parse().map_err(undecodable)?;
            let version = Version::try_from(row.version).map_err(undecodable)?;
            Ok((sku, SkuStock { available: row.available, version }))
        })
        .collect()
}

/// Writes stock that is newer than the stored one. Each SKU may occur once.
pub async fn write(
    connection: &mut PgConnection,
    stock: &[(Sku, SkuStock)],
) -> Result<(), sqlx::Error> {
    let skus: Vec<&str> = stock.iter().map(|(sku, _)| sku.as_str()).collect();
    let available: Vec<i64> = stock.iter().map(|(_, stock)| stock.available).collect();
    let versions: Vec<i64> = stock.iter().map(|(_, stock)| stock.version.get()).collect();
    sqlx::query!(
        r#"
        insert into sku_stock as s (sku, available, version)
        select * from unnest($1::text[], $2::bigint[], $3::bigint[]) as l (sku, available, version) order by sku
        on conflict (sku) do update set available = excluded.available, version = excluded.version
        where s.version < excluded.version
        "#,
        &skus as &[&str],
        &available,
        &versions,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Updates `in_stock` of the documents that contain one of `skus`, which ran out or came back. These documents
/// get new change numbers, because the index also has the stock of each variant; returns whether there are any.
pub async fn update_availability(
    connection: &mut PgConnection,
    skus: &[Sku],
) -> Result<bool, sqlx::Error> {
    let skus: Vec<&str> = skus.iter().map(Sku::as_str).collect();
    // Read only after locking: then no concurrent transaction can write products with these SKUs.
    let last = changes::lock(connection).await?;
    let update = sqlx::query!(
        r#"
        with affected as (
            select distinct product_id from document_sku where sku = any($1)
        ), availability as (
            select a.product_id, exists (
                select from document_sku k join sku_stock s on s.sku = k.sku
                where k.product_id = a.product_id and s.available > 0
            ) as in_stock
            from affected a
        ), outdated as (
            select a.product_id, a.in_stock, row_number() over (order by a.product_id) as place
            from availability a join document d on d.product_id = a.product_id
        ), updated as (
            update document d set in_stock = o.in_stock, change = $2::bigint + o.place
            from outdated o
            where d.product_id = o.product_id
            returning 1
        )
        update index_change set last = last + (select count(*) from updated)
        where exists (select from updated)
        "#,
        &skus as &[&str],
        last,
    );
    Ok(update.execute(connection).await?.rows_affected() > 0)
}
