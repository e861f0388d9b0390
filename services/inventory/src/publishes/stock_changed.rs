//! `stock.changed.v1`: the stock of a SKU over all warehouses.

use chrono::{DateTime, Utc};
use contracts::inventory::StockChangedV1;

use crate::domain::SkuStock;

pub(crate) fn stock_changed(stock: &SkuStock, changed_at: DateTime<Utc>) -> StockChangedV1 {
    StockChangedV1 {
        sku: stock.sku.clone(),
        version: stock.version,
        on_hand: stock.on_hand(),
        reserved: stock.reserved(),
        available: stock.available(),
        changed_at,
    }
}
