//! Warehouses.

use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::WarehouseId;

use crate::domain::Warehouse;

/// Inserts a warehouse. The constraint `warehouse_name_key` keeps names unique.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    warehouse: &Warehouse,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into warehouse (id, name, opened_at) values ($1, $2, $3)",
        warehouse.id.as_uuid(),
        warehouse.name,
        warehouse.opened_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The number of warehouses.
pub(crate) async fn count(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from warehouse"#).fetch_one(connection).await
}

/// The first `limit` warehouses after `after`, in the order in which they serve orders.
pub(crate) async fn list(
    connection: &mut PgConnection,
    after: Option<WarehouseId>,
    limit: i64,
) -> Result<Vec<Warehouse>, sqlx::Error> {
    let rows = sqlx::query!(
        "select id, name, opened_at from warehouse where $1::uuid is null or id > $1 order by id limit $2",
        after.map(Uuid::from),
        limit,
    )
    .fetch_all(connection)
    .await?;
    let warehouses = rows.into_iter().map(|row| Warehouse {
        id: row.id.into(),
        name: row.name,
        opened_at: row.opened_at,
    });
    Ok(warehouses.collect())
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
