//! Changes.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{ChangeId, ImportId, Version};

use super::undecodable;
use crate::domain::Change;

/// Inserts changes. `import` is the import that made them, if any.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    changes: &[Change],
    import: Option<ImportId>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = changes.iter().map(|change| change.id.as_uuid()).collect();
    let products: Vec<Uuid> = changes.iter().map(|change| change.product_id.as_uuid()).collect();
    let versions: Vec<i64> = changes.iter().map(|change| change.version.get()).collect();
    let times: Vec<DateTime<Utc>> = changes.iter().map(|change| change.made_at).collect();
    sqlx::query!(
        r#"
        insert into change (id, product_id, version, made_at, import_id)
        select id, product_id, version, made_at, $5
        from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[]) as c (id, product_id, version, made_at)
        "#,
        &ids,
        &products,
        &versions,
        &times,
        import.map(ImportId::as_uuid),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A change, unless retention deleted it.
pub(crate) async fn find(
    connection: &mut PgConnection,
    id: ChangeId,
) -> Result<Option<Change>, sqlx::Error> {
    let row =
        sqlx::query!("select product_id, version, made_at from change where id = $1", id.as_uuid())
            .fetch_optional(connection)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let version = Version::try_from(row.version).map_err(undecodable)?;
    Ok(Some(Change { id, product_id: row.product_id.into(), version, made_at: row.made_at }))
}

/// The number of changes of an import that each of `services` has applied; absent if zero.
pub(crate) async fn count_applied(
    connection: &mut PgConnection,
    import: ImportId,
    services: &[&str],
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select s.service as "service!", count(*) as "count!"
        from unnest($2::text[]) as s (service)
        join change c on c.import_id = $1
        where exists (
            select from receipt r
            where r.product_id = c.product_id and r.service = s.service and r.version >= c.version and r.failure is null
        )
        group by s.service
        "#,
        import.as_uuid(),
        services as &[&str],
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.service, row.count)).collect())
}

/// Deletes changes made before `time`.
pub(crate) async fn delete_before(
    connection: &mut PgConnection,
    time: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let deleted = sqlx::query!("delete from change where made_at < $1", time);
    Ok(deleted.execute(connection).await?.rows_affected())
}
