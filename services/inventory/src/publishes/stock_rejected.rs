//! `stock.rejected.v1`: an order asks for unavailable pieces.

use chrono::{DateTime, Utc};
use contracts::inventory::{self, StockRejectedV1, StockRejection};
use vocabulary::OrderId;

use crate::domain::Shortage;

/// The rejection of `order_id`. An unknown SKU takes precedence over insufficient stock: a delivery would not
/// help.
pub(crate) fn stock_rejected(
    order_id: OrderId,
    shortages: Vec<Shortage>,
    rejected_at: DateTime<Utc>,
) -> StockRejectedV1 {
    let unknown = shortages.iter().any(|shortage| shortage.available.is_none());
    let reason =
        if unknown { StockRejection::UnknownSku } else { StockRejection::InsufficientStock };
    let shortage = |Shortage { sku, requested, available }| inventory::Shortage {
        sku,
        requested,
        available: available.unwrap_or(0),
    };
    let shortages = shortages.into_iter().map(shortage).collect();
    StockRejectedV1 { order_id, reason, shortages, rejected_at }
}
