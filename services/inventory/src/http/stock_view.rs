//! The response body for the stock of a SKU, and the problems of changing it.

use problem::Problem;
use serde::Serialize;
use sqlx::PgConnection;
use vocabulary::{Sku, WarehouseId};

use crate::{
    app::StockChangeError,
    domain::{LowStock, SkuStock, StockRefusal, WarehouseStock},
    storage::{products, stock},
};

/// The stock of a SKU.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Stock)]
pub(super) struct StockView {
    sku: Sku,
    /// Counts the writes of this SKU's stock; also the `ETag`.
    pub(super) version: i64,
    /// Pieces in all warehouses, reserved ones included.
    on_hand: i64,
    /// Pieces that are reserved for orders.
    reserved: i64,
    /// Pieces that orders can still reserve.
    available: i64,
    /// The number of available pieces at which the SKU is low.
    low_stock_threshold: i64,
    /// Whether no product lists the SKU any more.
    withdrawn: bool,
    /// The stock per warehouse, the oldest first, for callers with the scope `stock:write`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) warehouses: Option<Vec<WarehouseStockView>>,
}

/// The stock of a SKU in one warehouse.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = WarehouseStock)]
pub(super) struct WarehouseStockView {
    warehouse_id: WarehouseId,
    on_hand: i64,
    reserved: i64,
    available: i64,
}

impl StockView {
    /// Reads the stock of `sku`; 404 for an unknown SKU.
    pub(super) async fn read(
        connection: &mut PgConnection,
        low: LowStock,
        sku: &Sku,
    ) -> Result<Self, Problem> {
        let stock = stock::find(connection, sku).await?.ok_or_else(|| unknown_sku(sku))?;
        let withdrawn = products::is_withdrawn(connection, sku).await?;
        Ok(Self::new(stock, low, withdrawn))
    }

    fn new(stock: SkuStock, low: LowStock, withdrawn: bool) -> Self {
        let (on_hand, reserved, available) = (stock.on_hand(), stock.reserved(), stock.available());
        let warehouses = stock.warehouses.into_iter();
        Self {
            sku: stock.sku,
            version: stock.version.get(),
            on_hand,
            reserved,
            available,
            low_stock_threshold: low.threshold(stock.low_at),
            withdrawn,
            warehouses: Some(warehouses.map(WarehouseStockView::from).collect()),
        }
    }
}

impl From<WarehouseStock> for WarehouseStockView {
    fn from(stock: WarehouseStock) -> Self {
        let available = stock.available();
        let WarehouseStock { warehouse, on_hand, reserved } = stock;
        Self { warehouse_id: warehouse, on_hand, reserved, available }
    }
}

/// 404 for a SKU that no product ever listed.
pub(super) fn unknown_sku(sku: &Sku) -> Problem {
    Problem::not_found(format_args!("SKU {sku}"))
}

/// The problem code of a refusal.
pub(super) const fn refusal_code(refusal: StockRefusal) -> &'static str {
    match refusal {
        StockRefusal::UnknownSku => "unknown_sku",
        StockRefusal::BelowReserved { .. } => "below_reserved",
        StockRefusal::Insufficient { .. } => "insufficient_stock",
        StockRefusal::TooMany => "too_many_pieces",
    }
}

/// The problem for a level that was not changed.
pub(super) fn stock_not_changed(sku: &Sku, error: StockChangeError) -> Problem {
    let refusal = match error {
        StockChangeError::Refused(refusal) => refusal,
        StockChangeError::Messaging(error) => return error.into(),
    };
    let title = match refusal {
        StockRefusal::UnknownSku => return unknown_sku(sku),
        StockRefusal::BelowReserved { .. } => "More pieces are reserved for orders",
        StockRefusal::Insufficient { .. } => "Fewer pieces are available",
        StockRefusal::TooMany => "The quantity exceeds the limit of a warehouse",
    };
    Problem::conflict(refusal_code(refusal), title).detail(format!("{sku}: {refusal}."))
}
