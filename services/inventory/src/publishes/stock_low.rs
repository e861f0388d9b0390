//! `stock.low.v1`: few pieces of a SKU can still be ordered.

use chrono::{DateTime, Utc};
use contracts::inventory::StockLowV1;

use crate::domain::{LowStock, SkuStock};

pub(crate) fn stock_low(
    stock: &SkuStock,
    setting: LowStock,
    changed_at: DateTime<Utc>,
) -> StockLowV1 {
    StockLowV1 {
        sku: stock.sku.clone(),
        version: stock.version,
        available: stock.available(),
        threshold: setting.threshold(stock.low_at),
        changed_at,
    }
}
