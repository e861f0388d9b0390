//! `stock.availability_changed.v1`: whether a SKU can be ordered.

use chrono::{DateTime, Utc};
use contracts::inventory::StockAvailabilityChangedV1;

use crate::domain::SkuStock;

pub(crate) fn stock_availability_changed(
    stock: &SkuStock,
    changed_at: DateTime<Utc>,
) -> StockAvailabilityChangedV1 {
    StockAvailabilityChangedV1 {
        sku: stock.sku.clone(),
        version: stock.version,
        in_stock: stock.available() > 0,
        changed_at,
    }
}
