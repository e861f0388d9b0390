//! What earlier rows of a dry run would have written.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{ImportId, ProductId, Sku, Version};

use super::{document, undecodable};
use crate::domain::{KnownProducts, ProductWrite, StoredProduct};

/// Makes `known` what it would be after the earlier rows of a dry run. `skus` are those of the next rows.
pub(crate) async fn apply(
    connection: &mut PgConnection,
    import: ImportId,
    skus: &[&str],
    known: &mut KnownProducts,
) -> Result<(), sqlx::Error> {
    let owners = sqlx::query!(
        "select sku, product_id from import_overlay_sku where import_id = $1 and sku = any($2)",
        import.as_uuid(),
        skus as &[&str],
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut products: HashSet<Uuid> = HashSet::new();
    for row in owners {
        let sku = Sku::try_from(row.sku).map_err(undecodable)?;
        match row.product_id {
            Some(product) => {
                products.insert(product);
                known.owners.insert(sku, product.into());
            }
            None => drop(known.owners.remove(&sku)),
        }
    }
    if products.is_empty() {
        return Ok(());
    }
    let products: Vec<Uuid> = products.into_iter().collect();
    let rows = sqlx::query!(
        r#"
        select product_id, version, document::text as "document!", created_at, updated_at, is_new
        from import_overlay where import_id = $1 and product_id = any($2)
        "#,
        import.as_uuid(),
        &products,
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let id = ProductId::from(row.product_id);
        let content = document::decode(&row.document)?;
        let stored = StoredProduct {
            version: Version::try_from(row.version).map_err(undecodable)?,
            document: document::encode(&content),
            created_at: row.created_at,
            updated_at: row.updated_at,
            skus: content.skus().cloned().collect(),
        };
        known.products.insert(id, stored);
        if row.is_new {
            known.imagined.insert(id);
        }
    }
    Ok(())
}

/// Keeps what the rows of a dry run would write.
pub(crate) async fn keep(
    connection: &mut PgConnection,
    import: ImportId,
    writes: &[ProductWrite],
) -> Result<(), sqlx::Error> {
    if writes.is_empty() {
        return Ok(());
    }
    let products = || writes.iter().map(|write| &write.product);
    let ids: Vec<Uuid> = products().map(|product| product.id.as_uuid()).collect();
    let versions: Vec<i64> = products().map(|product| product.version.get()).collect();
    let documents: Vec<String> =
        products().map(|product| document::encode(&product.content)).collect();
    let created: Vec<DateTime<Utc>> = products().map(|product| product.created_at).collect();
    let updated: Vec<DateTime<Utc>> = products().map(|product| product.updated_at).collect();
    // A later version of a product that the dry run would create stays new.
    sqlx::query!(
        r#"
        insert into import_overlay (import_id, product_id, version, document, created_at, updated_at, is_new)
        select $1, product_id, version, document::json, created_at, updated_at, version = 1
        from unnest($2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[], $6::timestamptz[])
            as w (product_id, version, document, created_at, updated_at)
        on conflict (import_id, product_id) do update set
            version = excluded.version,
            document = excluded.document,
            updated_at = excluded.updated_at
        "#,
        import.as_uuid(),
        &ids,
        &versions,
        &documents,
        &created,
        &updated,
    )
    .execute(&mut *connection)
    .await?;
    let freed = writes.iter().flat_map(|write| &write.freed).map(|sku| (sku.as_str(), None));
    let owned = products().flat_map(|product| {
        let id = product.id.as_uuid();
        product.content.skus().map(move |sku| (sku.as_str(), Some(id)))
    });
    let (skus, owners): (Vec<&str>, Vec<Option<Uuid>>) = freed.chain(owned).unzip();
    sqlx::query!(
        r#"
        insert into import_overlay_sku (import_id, sku, product_id)
        select $1, sku, product_id from unnest($2::text[], $3::uuid[]) as s (sku, product_id)
        on conflict (import_id, sku) do update set product_id = excluded.product_id
        "#,
        import.as_uuid(),
        &skus as &[&str],
        &owners as &[Option<Uuid>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets a dry run that is done.
pub(crate) async fn delete(
    connection: &mut PgConnection,
    import: ImportId,
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from import_overlay where import_id = $1", import.as_uuid())
        .execute(&mut *connection)
        .await?;
    sqlx::query!("delete from import_overlay_sku where import_id = $1", import.as_uuid())
        .execute(connection)
        .await?;
    Ok(())
}
