//! Receipts that are due: versions that were heard of, and are not yet said to be searchable.

use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{ProductId, Version};

/// A version to be confirmed once the index has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Which product.
    pub product_id: ProductId,
    /// In which version.
    pub version: Version,
    /// The trace of the event that brought it.
    pub traceparent: Option<String>,
}

/// Notes receipts that are due.
pub async fn note(connection: &mut PgConnection, due: &[Due]) -> Result<(), sqlx::Error> {
    let products: Vec<Uuid> = due.iter().map(|one| one.product_id.as_uuid()).collect();
    let versions: Vec<i64> = due.iter().map(|one| one.version.get()).collect();
    let traces: Vec<Option<&str>> = due.iter().map(|one| one.traceparent.as_deref()).collect();
    sqlx::query!(
        r#"
        insert into receipt_due (product_id, version, traceparent)
        select * from unnest($1::uuid[], $2::bigint[], $3::text[]) as d (product_id, version, traceparent)
        on conflict do nothing
        "#,
        &products,
        &versions,
        &traces as &[Option<&str>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How many are due.
pub async fn count(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from receipt_due"#)
        .fetch_one(connection)
        .await
}

/// Whether any is due.
pub async fn any(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select exists (select from receipt_due) as "any!""#)
        .fetch_one(connection)
        .await
}

/// Takes out up to `limit` receipts of products whose last change is in an index that has all changes up to the number
/// `applied`. Whoever takes them says them, in the same transaction; two that take at once take different ones.
///
/// It is the document's number that counts and not one of the receipt's own: a document that changes once more is read
/// by the tail at its new number only.
pub async fn take(
    connection: &mut PgConnection,
    applied: i64,
    limit: i64,
) -> Result<Vec<Due>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        with settled as (
            select r.product_id, r.version
            from receipt_due r join document d on d.product_id = r.product_id
            where d.change <= $1
            limit $2
            for update of r skip locked
        )
        delete from receipt_due r
        using settled s
        where r.product_id = s.product_id and r.version = s.version
        returning r.product_id, r.version, r.traceparent
        "#,
        applied,
        limit,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let version = Version::try_from(row.version);
            let version = version.map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let product_id = row.product_id.into();
            Ok(Due { product_id, version, traceparent: row.traceparent })
        })
        .collect()
}
