//! Levels of stock: rows of `item` and `stock`, and the movements that led to them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{Sku, Version, WarehouseId};

use crate::domain::{Changes, Level, Shelf, Stock};

/// The advisory lock of the stock. The number means nothing; it is only the same everywhere.
const STOCK_WRITER: i64 = 0x73_74_6f_63_6b;

/// Waits until nobody else changes the stock, and reads the levels of `skus`. Nobody else changes it until the transaction
/// ends. SKUs that were never heard of are not in the answer.
///
/// One lock for all of the stock, instead of one per row: a transaction handles several types of events one after the
/// other, each with SKUs of its own, so that row locks could not be taken in one order for all of them, and two consumers
/// would end in deadlocks under load. The lock is held for the few statements that a batch takes; meanwhile the next
/// batch grows.
pub async fn lock<'a>(
    connection: &mut PgConnection,
    skus: impl IntoIterator<Item = &'a Sku>,
) -> Result<Stock, sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock($1)", STOCK_WRITER)
        .execute(&mut *connection)
        .await?;
    // A statement of its own: its snapshot is taken when the lock is held, so it sees what the last writer committed.
    let skus: Vec<&str> = skus.into_iter().map(Sku::as_str).collect();
    Ok(Stock::new(read(connection, &skus).await?))
}

/// The level of one SKU, as it is committed now.
pub async fn level(connection: &mut PgConnection, sku: &Sku) -> Result<Option<Level>, sqlx::Error> {
    Ok(read(connection, &[sku.as_str()]).await?.pop())
}

async fn read(connection: &mut PgConnection, skus: &[&str]) -> Result<Vec<Level>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select
            i.sku,
            i.version,
            s.warehouse_id as "warehouse_id?",
            s.on_hand as "on_hand?",
            s.reserved as "reserved?"
        from item i
        left join stock s on s.sku = i.sku
        where i.sku = any($1)
        order by i.sku, s.warehouse_id
        "#,
        skus as &[&str],
    )
    .fetch_all(connection)
    .await?;
    let mut levels: Vec<Level> = Vec::new();
    for row in rows {
        if levels.last().is_none_or(|level| level.sku.as_str() != row.sku) {
            levels.push(Level {
                sku: row.sku.try_into().map_err(undecodable)?,
                version: Version::try_from(row.version).map_err(undecodable)?,
                shelves: Vec::new(),
            });
        }
        if let (Some(level), Some(warehouse), Some(on_hand), Some(reserved)) =
            (levels.last_mut(), row.warehouse_id, row.on_hand, row.reserved)
        {
            level.shelves.push(Shelf { warehouse: warehouse.into(), on_hand, reserved });
        }
    }
    Ok(levels)
}

/// A column that holds what it never should.
pub(super) fn undecodable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// Writes changes back in one statement: the movements, the rows that they end at, and the versions of the SKUs. `actor`
/// and `reason` are those of all movements.
pub async fn write(
    connection: &mut PgConnection,
    changes: &Changes,
    actor: &str,
    reason: Option<&str>,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if changes.movements.is_empty() {
        return Ok(());
    }
    let Shelves { shelf_skus, shelf_warehouses, on_hand, reserved } = Shelves::after(changes);
    let movements = &changes.movements;
    let skus: Vec<&str> = movements.iter().map(|movement| movement.sku.as_str()).collect();
    let warehouses: Vec<Uuid> =
        movements.iter().map(|movement| movement.after.warehouse.as_uuid()).collect();
    let kinds: Vec<&str> = movements.iter().map(|movement| movement.kind.as_str()).collect();
    let on_hand_deltas: Vec<i64> =
        movements.iter().map(|movement| movement.on_hand_delta).collect();
    let reserved_deltas: Vec<i64> =
        movements.iter().map(|movement| movement.reserved_delta).collect();
    let on_hand_after: Vec<i64> = movements.iter().map(|movement| movement.after.on_hand).collect();
    let reserved_after: Vec<i64> =
        movements.iter().map(|movement| movement.after.reserved).collect();
    let orders: Vec<Option<Uuid>> =
        movements.iter().map(|movement| movement.order.map(Uuid::from)).collect();
    let items: Vec<&str> = changes.levels.iter().map(|level| level.sku.as_str()).collect();
    let versions: Vec<i64> = changes.levels.iter().map(|level| level.version.get()).collect();
    sqlx::query!(
        r#"
        with movement as (
            insert into ledger
                (sku, warehouse_id, kind, on_hand_delta, reserved_delta, on_hand_after, reserved_after, order_id, reason,
                 actor, at)
            select sku, warehouse_id, kind, on_hand_delta, reserved_delta, on_hand_after, reserved_after, order_id, $9, $10, $11
            from unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::uuid[])
                with ordinality as m
                    (sku, warehouse_id, kind, on_hand_delta, reserved_delta, on_hand_after, reserved_after, order_id, position)
            order by position
        ), shelf as (
            insert into stock (sku, warehouse_id, on_hand, reserved)
            select * from unnest($12::text[], $13::uuid[], $14::bigint[], $15::bigint[])
            on conflict (sku, warehouse_id) do update set on_hand = excluded.on_hand, reserved = excluded.reserved
        )
        update item i set version = u.version
        from unnest($16::text[], $17::bigint[]) as u (sku, version)
        where i.sku = u.sku
        "#,
        &skus as &[&str],
        &warehouses,
        &kinds as &[&str],
        &on_hand_deltas,
        &reserved_deltas,
        &on_hand_after,
        &reserved_after,
        &orders as &[Option<Uuid>],
        reason,
        actor,
        at,
        &shelf_skus as &[&str],
        &shelf_warehouses,
        &on_hand,
        &reserved,
        &items as &[&str],
        &versions,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The shelves that were moved on, as they are in the end, as parallel arrays.
struct Shelves<'a> {
    shelf_skus: Vec<&'a str>,
    shelf_warehouses: Vec<Uuid>,
    on_hand: Vec<i64>,
    reserved: Vec<i64>,
}

impl<'a> Shelves<'a> {
    fn after(changes: &'a Changes) -> Self {
        let movements = changes.movements.iter();
        let last: BTreeMap<(&str, WarehouseId), Shelf> = movements
            .map(|movement| ((movement.sku.as_str(), movement.after.warehouse), movement.after))
            .collect();
        Self {
            shelf_skus: last.keys().map(|(sku, _)| *sku).collect(),
            shelf_warehouses: last.keys().map(|(_, warehouse)| warehouse.as_uuid()).collect(),
            on_hand: last.values().map(|shelf| shelf.on_hand).collect(),
            reserved: last.values().map(|shelf| shelf.reserved).collect(),
        }
    }
}
