//! Places that hold stock.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::WarehouseId;

/// The warehouse that is meant where none is named; the first migration opened it.
pub const DEFAULT: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

/// A place that holds stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warehouse {
    /// Names it; ids sort by the time of opening.
    pub id: WarehouseId,
    /// What people call it.
    pub name: String,
    /// Since when.
    pub opened_at: DateTime<Utc>,
}

/// Opens a warehouse. The constraint `warehouse_name_key` holds names apart.
pub async fn insert(
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

/// How many there are.
pub async fn count(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from warehouse"#).fetch_one(connection).await
}

/// The first `limit` warehouses after `after`, in the order in which orders are served from them.
pub async fn list(
    connection: &mut PgConnection,
    after: Option<WarehouseId>,
    limit: i64,
) -> Result<Vec<Warehouse>, sqlx::Error> {
    sqlx::query_as!(
        Warehouse,
        "select id, name, opened_at from warehouse where $1::uuid is null or id > $1 order by id limit $2",
        after.map(Uuid::from),
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Which of `warehouses` there are.
pub async fn known(
    connection: &mut PgConnection,
    warehouses: &[WarehouseId],
) -> Result<Vec<WarehouseId>, sqlx::Error> {
    let warehouses: Vec<Uuid> = warehouses.iter().map(|warehouse| warehouse.as_uuid()).collect();
    let known = sqlx::query_scalar!("select id from warehouse where id = any($1)", &warehouses)
        .fetch_all(connection)
        .await?;
    Ok(known.into_iter().map(WarehouseId::from).collect())
}

#[cfg(test)]
mod tests {
    use super::DEFAULT;

    #[test]
    fn the_default_warehouse_is_older_than_any_other() {
        assert_eq!(DEFAULT.to_string(), "01900000-0000-7000-8000-000000000001");
        assert!(DEFAULT < vocabulary::WarehouseId::new().as_uuid());
    }
}
