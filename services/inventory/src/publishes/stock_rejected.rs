//! `stock.rejected.v1`: an order asks for what is not there.

use chrono::{DateTime, Utc};
use contracts::inventory::{Shortage, StockRejectedV1, StockRejection};
use vocabulary::OrderId;

use crate::domain;

/// The event for `order_id`. A SKU that was never heard of outweighs one of which there is not enough: waiting for a
/// delivery would not help.
pub fn stock_rejected(
    order_id: OrderId,
    shortages: Vec<domain::Shortage>,
    rejected_at: DateTime<Utc>,
) -> StockRejectedV1 {
    let unknown = shortages.iter().any(|shortage| shortage.available.is_none());
    let reason =
        if unknown { StockRejection::UnknownSku } else { StockRejection::InsufficientStock };
    let shortages = shortages.into_iter().map(|domain::Shortage { sku, requested, available }| {
        Shortage { sku, requested, available: available.unwrap_or(0) }
    });
    StockRejectedV1 { order_id, reason, shortages: shortages.collect(), rejected_at }
}
