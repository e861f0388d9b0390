//! Counts of SKUs that are not registered yet.

use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{ImportId, Sku};

use super::undecodable;
use crate::domain::StockCount;

/// Stores counts of SKUs that have none stored.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    counts: &[&StockCount],
) -> Result<(), sqlx::Error> {
    if counts.is_empty() {
        return Ok(());
    }
    let skus: Vec<&str> = counts.iter().map(|count| count.sku.as_str()).collect();
    let quantities: Vec<i64> = counts.iter().map(|count| count.quantity).collect();
    let imports: Vec<Uuid> = counts.iter().map(|count| count.import.as_uuid()).collect();
    sqlx::query!(
        r#"
        insert into pending_count (sku, quantity, import_id)
        select sku, quantity, import_id
        from unnest($1::text[], $2::bigint[], $3::uuid[]) as c (sku, quantity, import_id)
        "#,
        &skus as &[&str],
        &quantities,
        &imports,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes the stored counts of `skus`.
pub(crate) async fn delete(
    connection: &mut PgConnection,
    skus: &[&Sku],
) -> Result<(), sqlx::Error> {
    let skus: Vec<&str> = skus.iter().map(|sku| sku.as_str()).collect();
    sqlx::query!("delete from pending_count where sku = any($1)", &skus as &[&str])
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether the SKU of a stored count is registered by now.
pub(crate) async fn any_registered(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from pending_count join item using (sku)) as "registered!""#
    )
    .fetch_one(connection)
    .await
}

/// Deletes and returns at most `limit` stored counts whose SKUs are registered.
pub(crate) async fn take_registered(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<StockCount>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        delete from pending_count
        where sku in (select sku from pending_count join item using (sku) order by sku limit $1)
        returning sku, quantity, import_id
        "#,
        limit,
    )
    .fetch_all(connection)
    .await?;
    let counts = rows.into_iter().map(|row| {
        Ok(StockCount {
            sku: Sku::try_from(row.sku).map_err(undecodable)?,
            quantity: row.quantity,
            import: ImportId::from(row.import_id),
        })
    });
    counts.collect()
}
