//! Receipts of the downstream services.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{Change, NewReceipt, Receipt};

/// Inserts receipts, without those for versions that were never published. The first receipt for a version stays, except that a
/// success replaces a failure.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    receipts: &[NewReceipt<'_>],
) -> Result<(), sqlx::Error> {
    let products: Vec<Uuid> = receipts.iter().map(|receipt| receipt.product.as_uuid()).collect();
    let services: Vec<&str> = receipts.iter().map(|receipt| receipt.service).collect();
    let versions: Vec<i64> = receipts.iter().map(|receipt| receipt.version.get()).collect();
    let times: Vec<DateTime<Utc>> = receipts.iter().map(|receipt| receipt.at).collect();
    let failures: Vec<Option<&str>> = receipts.iter().map(|receipt| receipt.failure).collect();
    sqlx::query!(
        r#"
        insert into receipt as r (product_id, service, version, at, failure)
        select distinct on (product_id, service, version) product_id, service, version, at, failure
        from unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[], $5::text[])
            as e (product_id, service, version, at, failure)
        where exists (select from product p where p.id = e.product_id and p.version >= e.version)
        order by product_id, service, version, failure nulls first, at
        on conflict (product_id, service, version) do update
            set at = excluded.at, failure = excluded.failure
            where r.failure is not null and excluded.failure is null
        "#,
        &products,
        &services as &[&str],
        &versions,
        &times,
        &failures as &[Option<&str>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The receipts of each service for the version of `change` and all later ones.
pub(crate) async fn for_change(
    connection: &mut PgConnection,
    change: &Change,
) -> Result<Vec<Receipt>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select
            service,
            min(at) filter (where failure is null) as applied_at,
            (array_agg(failure order by version desc) filter (where failure is not null))[1] as failure
        from receipt
        where product_id = $1 and version >= $2
        group by service
        "#,
        change.product_id.as_uuid(),
        change.version.get(),
    )
    .fetch_all(connection)
    .await?;
    let receipts = rows.into_iter().map(|row| Receipt {
        service: row.service,
        applied_at: row.applied_at,
        failure: row.failure,
    });
    Ok(receipts.collect())
}

/// Deletes receipts from before `time` that a later success of the same service and product supersedes.
pub(crate) async fn delete_superseded(
    connection: &mut PgConnection,
    time: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!(
        r#"
        delete from receipt r
        where r.at < $1 and exists (
            select from receipt later
            where later.product_id = r.product_id and later.service = r.service and later.version > r.version
                and later.failure is null
        )
        "#,
        time,
    );
    Ok(deleted.execute(connection).await?.rows_affected())
}
