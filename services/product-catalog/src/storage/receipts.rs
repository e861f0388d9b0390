//! Receipts of the services that follow products.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{Change, Receipt};

/// Receipts side by side: one of `service` for each product and version.
#[derive(Debug, Default)]
pub(crate) struct Receipts<'a> {
    products: Vec<Uuid>,
    services: Vec<&'a str>,
    versions: Vec<i64>,
    times: Vec<DateTime<Utc>>,
    failures: Vec<Option<&'a str>>,
}

impl<'a> Receipts<'a> {
    /// Adds one; `failure` says why it did not take effect.
    pub(crate) fn push(
        &mut self,
        service: &'a str,
        product: contracts::receipts::ProductVersion,
        at: DateTime<Utc>,
        failure: Option<&'a str>,
    ) {
        self.products.push(product.product_id.as_uuid());
        self.services.push(service);
        self.versions.push(product.version.get());
        self.times.push(at);
        self.failures.push(failure);
    }
}

/// Notes receipts. Of two for the same version the first counts, unless it was a failure and has been mended since.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    receipts: &Receipts<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        insert into receipt as r (product_id, service, version, at, failure)
        select distinct on (product_id, service, version) product_id, service, version, at, failure
        from unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[], $5::text[])
            as e (product_id, service, version, at, failure)
        order by product_id, service, version, failure nulls first, at
        on conflict (product_id, service, version) do update
            set at = excluded.at, failure = excluded.failure
            where r.failure is not null and excluded.failure is null
        "#,
        &receipts.products,
        &receipts.services as &[&str],
        &receipts.versions,
        &receipts.times,
        &receipts.failures as &[Option<&str>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What each service has said of the versions from that of `change` on.
pub(crate) async fn of(
    connection: &mut PgConnection,
    change: &Change,
) -> Result<Vec<Receipt>, sqlx::Error> {
    sqlx::query_as!(
        Receipt,
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
    .await
}

/// Forgets receipts from before `time`, but never the last of a product and service.
pub(crate) async fn forget(
    connection: &mut PgConnection,
    time: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let forgotten = sqlx::query!(
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
    Ok(forgotten.execute(connection).await?.rows_affected())
}
