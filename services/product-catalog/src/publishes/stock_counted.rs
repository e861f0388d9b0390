//! `stock.counted.v1`: an imported file states the stock of a SKU.

use chrono::{DateTime, Utc};
use contracts::catalog::StockCountedV1;
use vocabulary::ImportId;

use crate::domain::StockCount;

pub(crate) fn stock_counted(
    count: StockCount,
    import_id: ImportId,
    counted_at: DateTime<Utc>,
) -> StockCountedV1 {
    let StockCount { sku, quantity } = count;
    StockCountedV1 { sku, quantity, import_id, counted_at }
}
