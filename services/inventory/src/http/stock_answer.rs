//! The level of a SKU as it is answered.

use problem::Problem;
use serde::Serialize;
use sqlx::PgConnection;
use vocabulary::{Sku, WarehouseId};

use crate::{
    domain::{Level, Refusal, Shelf},
    storage::{products, stock},
};

/// The level of a SKU.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct StockAnswer {
    /// Which SKU.
    sku: Sku,
    /// How often the level has been written; also the `ETag`.
    pub(super) version: i64,
    /// Pieces in all warehouses.
    on_hand: i64,
    /// Of these, set aside for orders.
    reserved: i64,
    /// Of these, free to be ordered.
    available: i64,
    /// Whether no product lists the SKU any more.
    withdrawn: bool,
    /// The same per warehouse, in the order in which orders are served from them.
    warehouses: Vec<ShelfAnswer>,
}

/// The level of a SKU in a warehouse.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ShelfAnswer {
    warehouse_id: WarehouseId,
    on_hand: i64,
    reserved: i64,
    available: i64,
}

impl StockAnswer {
    /// The level of `sku` as it stands in the transaction or snapshot of `connection`; 404 for a SKU never heard of.
    pub(super) async fn read(connection: &mut PgConnection, sku: &Sku) -> Result<Self, Problem> {
        let level = stock::level(connection, sku).await?.ok_or_else(|| never_heard_of(sku))?;
        let withdrawn = products::is_withdrawn(connection, sku).await?;
        Ok(Self::of(level, withdrawn))
    }

    fn of(level: Level, withdrawn: bool) -> Self {
        let (on_hand, reserved, available) = (level.on_hand(), level.reserved(), level.available());
        let shelf = |shelf: Shelf| ShelfAnswer {
            warehouse_id: shelf.warehouse,
            on_hand: shelf.on_hand,
            reserved: shelf.reserved,
            available: shelf.available(),
        };
        Self {
            sku: level.sku,
            version: level.version.get(),
            on_hand,
            reserved,
            available,
            withdrawn,
            warehouses: level.shelves.into_iter().map(shelf).collect(),
        }
    }
}

/// 404: the SKU was never heard of.
pub(super) fn never_heard_of(sku: &Sku) -> Problem {
    Problem::not_found(format_args!("SKU {sku}"))
}

/// The stable code of a refusal.
pub(super) const fn code(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownSku => "unknown_sku",
        Refusal::BelowReserved { .. } => "below_reserved",
        Refusal::Insufficient { .. } => "insufficient_stock",
        Refusal::TooMany => "too_many_pieces",
    }
}

/// What is answered to somebody whose change is refused.
pub(super) fn refused(sku: &Sku, refusal: Refusal) -> Problem {
    let title = match refusal {
        Refusal::UnknownSku => return never_heard_of(sku),
        Refusal::BelowReserved { .. } => "More is set aside for orders",
        Refusal::Insufficient { .. } => "Fewer pieces are free",
        Refusal::TooMany => "No warehouse holds so many pieces",
    };
    Problem::conflict(code(refusal), title).detail(format!("{sku}: {refusal}."))
}
