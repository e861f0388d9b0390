//! The levels of SKUs.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;
use vocabulary::{Sku, Version};

use super::changes;
use crate::domain::Level;

/// The levels that are held of `skus`, locked.
pub async fn lock(
    connection: &mut PgConnection,
    skus: &BTreeSet<Sku>,
) -> Result<BTreeMap<Sku, Level>, sqlx::Error> {
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
            Ok((sku, Level { available: row.available, version }))
        })
        .collect()
}

fn undecodable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// Writes levels, each SKU once, sorted.
pub async fn write(
    connection: &mut PgConnection,
    levels: &[(Sku, Level)],
) -> Result<(), sqlx::Error> {
    let skus: Vec<&str> = levels.iter().map(|(sku, _)| sku.as_str()).collect();
    let available: Vec<i64> = levels.iter().map(|(_, level)| level.available).collect();
    let versions: Vec<i64> = levels.iter().map(|(_, level)| level.version.get()).collect();
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

/// Puts `in_stock` right on every document that lists one of `skus`; answers whether it was wrong on any. Those that were
/// get new numbers.
pub async fn flip(connection: &mut PgConnection, skus: &[Sku]) -> Result<bool, sqlx::Error> {
    let skus: Vec<&str> = skus.iter().map(Sku::as_str).collect();
    // Read only after the lock was had: then no product with these SKUs is being written unseen.
    let last = changes::lock(connection).await?;
    let flipped = sqlx::query!(
        r#"
        with touched as (
            select distinct product_id from document_sku where sku = any($1)
        ), stocked as (
            select t.product_id, exists (
                select from document_sku k join sku_stock s on s.sku = k.sku
                where k.product_id = t.product_id and s.available > 0
            ) as in_stock
            from touched t
        ), wrong as (
            select s.product_id, s.in_stock, row_number() over (order by s.product_id) as place
            from stocked s join document d on d.product_id = s.product_id
            where d.in_stock <> s.in_stock
        ), flipped as (
            update document d set in_stock = w.in_stock, change = $2::bigint + w.place
            from wrong w
            where d.product_id = w.product_id
            returning 1
        )
        update index_change set last = last + (select count(*) from flipped)
        where exists (select from flipped)
        "#,
        &skus as &[&str],
        last,
    );
    Ok(flipped.execute(connection).await?.rows_affected() > 0)
}
