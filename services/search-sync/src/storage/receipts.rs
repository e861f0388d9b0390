//! Pending receipts: received product versions that are not yet published as searchable.

use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::Version;

use super::undecodable;
use crate::domain::PendingReceipt;

/// Adds pending receipts; existing ones stay.
pub async fn insert(
    connection: &mut PgConnection,
    pending: &[PendingReceipt],
) -> Result<(), sqlx::Error> {
    let products: Vec<Uuid> = pending.iter().map(|one| one.product_id.as_uuid()).collect();
    let versions: Vec<i64> = pending.iter().map(|one| one.version.get()).collect();
    let traces: Vec<Option<&str>> = pending.iter().map(|one| one.traceparent.as_deref()).collect();
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

/// The number of pending receipts.
pub(crate) async fn count(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from receipt_due"#)
        .fetch_one(connection)
        .await
}

/// Whether any receipt is pending.
pub(crate) async fn exists(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"select exists (select from receipt_due) as "any!""#)
        .fetch_one(connection)
        .await
}

/// Removes and returns up to `limit` receipts of products whose last change is at most `applied`, or is an edit and at
/// most `edits_applied`.
///
/// Publish them in the same transaction. Concurrent calls return different receipts. The change number of the
/// document decides, not one of the receipt: a document that changes again is only read at its new number.
pub async fn take(
    connection: &mut PgConnection,
    applied: i64,
    edits_applied: i64,
    limit: i64,
) -> Result<Vec<PendingReceipt>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        with settled as (
            select r.product_id, r.version
            from receipt_due r join document d on d.product_id = r.product_id
            where d.change <= $1 or (d.is_edit and d.change <= $3)
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
        edits_applied,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(PendingReceipt {
                product_id: row.product_id.into(),
                version: Version::try_from(row.version).map_err(undecodable)?,
                traceparent: row.traceparent,
            })
        })
        .collect()
}
