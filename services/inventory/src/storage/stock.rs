//! Stock levels (`item` and `stock`), written together with their movements (`ledger`).

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{Sku, Version, WarehouseId};

use super::undecodable;
use crate::domain::{Site, SkuStock, Stock, StockChanges, WarehouseStock};

/// The key of the advisory lock on the stock; an arbitrary number.
const STOCK_LOCK: i64 = 0x73_74_6f_63_6b;

/// Locks all stock until the transaction ends, and reads the levels of `skus`. Unknown SKUs are absent.
///
/// There is one lock for all stock instead of one per row. A transaction handles several event types one
/// after the other, each with its own SKUs, so row locks have no common order and two consumers would
/// deadlock under load. The lock is held for the few statements of a batch; the next batch grows meanwhile.
pub(crate) async fn lock<'a>(
    connection: &mut PgConnection,
    skus: impl IntoIterator<Item = &'a Sku>,
) -> Result<Stock, sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock($1)", STOCK_LOCK).execute(&mut *connection).await?;
    // A separate statement takes its snapshot under the lock, so it sees the last writer's commit.
    let skus: Vec<&str> = skus.into_iter().map(Sku::as_str).collect();
    let (skus, sites) = read(connection, &skus).await?;
    Ok(Stock::new(skus).with_sites(sites))
}

/// Makes the versions of SKUs, of which each was published once, higher than those with these sequence numbers. SKUs that are not known
/// are skipped. The stock stays locked until the transaction ends.
pub(crate) async fn raise_versions(
    connection: &mut PgConnection,
    numbers: &[(Sku, i64)],
) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_advisory_xact_lock($1)", STOCK_LOCK).execute(&mut *connection).await?;
    let skus: Vec<&str> = numbers.iter().map(|(sku, _)| sku.as_str()).collect();
    let numbers: Vec<i64> = numbers.iter().map(|(_, number)| *number).collect();
    // The first version is not published, so a version is its number plus one.
    sqlx::query!(
        r#"
        update item i set version = greatest(i.version, u.number + 2)
        from unnest($1::text[], $2::bigint[]) as u (sku, number)
        where i.sku = u.sku
        "#,
        &skus as &[&str],
        &numbers,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The stock of one SKU, without a lock.
pub(crate) async fn find(
    connection: &mut PgConnection,
    sku: &Sku,
) -> Result<Option<SkuStock>, sqlx::Error> {
    Ok(read(connection, &[sku.as_str()]).await?.0.pop())
}

/// The levels of `skus`, and the sites of their warehouses.
async fn read(
    connection: &mut PgConnection,
    skus: &[&str],
) -> Result<(Vec<SkuStock>, HashMap<WarehouseId, Site>), sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select
            i.sku,
            i.version,
            i.low_at,
            s.warehouse_id as "warehouse_id?",
            s.on_hand as "on_hand?",
            s.reserved as "reserved?",
            w.priority as "priority?",
            w.region
        from item i
        left join stock s on s.sku = i.sku
        left join warehouse w on w.id = s.warehouse_id
        where i.sku = any($1)
        order by i.sku, s.warehouse_id
        "#,
        skus as &[&str],
    )
    .fetch_all(connection)
    .await?;
    let mut skus: Vec<SkuStock> = Vec::new();
    let mut sites = HashMap::new();
    for row in rows {
        if skus.last().is_none_or(|stock| stock.sku.as_str() != row.sku) {
            skus.push(SkuStock {
                sku: row.sku.try_into().map_err(undecodable)?,
                version: Version::try_from(row.version).map_err(undecodable)?,
                low_at: row.low_at,
                warehouses: Vec::new(),
            });
        }
        if let (Some(stock), Some(warehouse), Some(on_hand), Some(reserved)) =
            (skus.last_mut(), row.warehouse_id, row.on_hand, row.reserved)
        {
            let warehouse = warehouse.into();
            stock.warehouses.push(WarehouseStock { warehouse, on_hand, reserved });
            if let Entry::Vacant(site) = sites.entry(warehouse) {
                let region = row.region.map(|region| region.parse().map_err(undecodable));
                site.insert(Site {
                    priority: row.priority.unwrap_or_default(),
                    region: region.transpose()?,
                });
            }
        }
    }
    Ok((skus, sites))
}

/// Writes changes in one statement: the movements, the resulting levels, and the versions and thresholds of the SKUs. `actor`
/// and `reason` apply to all movements.
pub(crate) async fn write(
    connection: &mut PgConnection,
    changes: &StockChanges,
    actor: &str,
    reason: Option<&str>,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if changes.skus.is_empty() {
        return Ok(());
    }
    let Levels { level_skus, level_warehouses, on_hand, reserved } = Levels::after(changes);
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
    let items: Vec<&str> = changes.skus.iter().map(|stock| stock.sku.as_str()).collect();
    let thresholds: Vec<Option<i64>> = changes.skus.iter().map(|stock| stock.low_at).collect();
    let versions: Vec<i64> = changes.skus.iter().map(|stock| stock.version.get()).collect();
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
        ), level as (
            insert into stock (sku, warehouse_id, on_hand, reserved)
            select * from unnest($12::text[], $13::uuid[], $14::bigint[], $15::bigint[])
            on conflict (sku, warehouse_id) do update set on_hand = excluded.on_hand, reserved = excluded.reserved
        )
        update item i set version = u.version, low_at = u.low_at
        from unnest($16::text[], $17::bigint[], $18::bigint[]) as u (sku, version, low_at)
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
        &level_skus as &[&str],
        &level_warehouses,
        &on_hand,
        &reserved,
        &items as &[&str],
        &versions,
        &thresholds as &[Option<i64>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The levels after the last movement of each, as parallel arrays.
struct Levels<'a> {
    level_skus: Vec<&'a str>,
    level_warehouses: Vec<Uuid>,
    on_hand: Vec<i64>,
    reserved: Vec<i64>,
}

impl<'a> Levels<'a> {
    fn after(changes: &'a StockChanges) -> Self {
        let movements = changes.movements.iter();
        let last: BTreeMap<(&str, WarehouseId), WarehouseStock> = movements
            .map(|movement| ((movement.sku.as_str(), movement.after.warehouse), movement.after))
            .collect();
        Self {
            level_skus: last.keys().map(|(sku, _)| *sku).collect(),
            level_warehouses: last.keys().map(|(_, warehouse)| warehouse.as_uuid()).collect(),
            on_hand: last.values().map(|level| level.on_hand).collect(),
            reserved: last.values().map(|level| level.reserved).collect(),
        }
    }
}
