//! Warehouses.

use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::WarehouseId;

use super::undecodable;
use crate::domain::{Region, Site, Warehouse};

/// Inserts a warehouse. The constraint `warehouse_name_key` keeps names unique.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    warehouse: &Warehouse,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into warehouse (id, name, opened_at, priority, region) values ($1, $2, $3, $4, $5)",
        warehouse.id.as_uuid(),
        warehouse.name,
        warehouse.opened_at,
        warehouse.site.priority,
        warehouse.site.region.as_ref().map(Region::to_string),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Changes the name and the site of a warehouse, and returns it, if it exists. The constraint `warehouse_name_key` keeps names
/// unique.
pub(crate) async fn update(
    connection: &mut PgConnection,
    id: WarehouseId,
    name: &str,
    site: &Site,
) -> Result<Option<Warehouse>, sqlx::Error> {
    let opened_at = sqlx::query_scalar!(
        "update warehouse set name = $2, priority = $3, region = $4 where id = $1 returning opened_at",
        id.as_uuid(),
        name,
        site.priority,
        site.region.as_ref().map(Region::to_string),
    )
    .fetch_optional(connection)
    .await?;
    let (name, site) = (name.to_owned(), site.clone());
    Ok(opened_at.map(|opened_at| Warehouse { id, name, site, opened_at }))
}

/// The number of warehouses.
pub(crate) async fn count(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from warehouse"#).fetch_one(connection).await
}

/// The first `limit` warehouses after `after`, the oldest first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    after: Option<WarehouseId>,
    limit: i64,
) -> Result<Vec<Warehouse>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select id, name, opened_at, priority, region from warehouse
        where $1::uuid is null or id > $1
        order by id
        limit $2
        "#,
        after.map(Uuid::from),
        limit,
    )
    .fetch_all(connection)
    .await?;
    let warehouses = rows.into_iter().map(|row| {
        let region = row.region.map(|region| region.parse()).transpose().map_err(undecodable)?;
        let site = Site { priority: row.priority, region };
        Ok(Warehouse { id: row.id.into(), name: row.name, site, opened_at: row.opened_at })
    });
    warehouses.collect()
}

/// Those of `warehouses` that exist.
pub(crate) async fn existing(
    connection: &mut PgConnection,
    warehouses: &[WarehouseId],
) -> Result<Vec<WarehouseId>, sqlx::Error> {
    let warehouses: Vec<Uuid> = warehouses.iter().map(|warehouse| warehouse.as_uuid()).collect();
    let existing = sqlx::query_scalar!("select id from warehouse where id = any($1)", &warehouses)
        .fetch_all(connection)
        .await?;
    Ok(existing.into_iter().map(WarehouseId::from).collect())
}
