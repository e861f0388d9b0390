//! `stock.deducted.v1`: the reserved pieces of an order left the warehouse.

use chrono::{DateTime, Utc};
use contracts::inventory::StockDeductedV1;
use vocabulary::OrderId;

pub(crate) const fn stock_deducted(
    order_id: OrderId,
    deducted_at: DateTime<Utc>,
) -> StockDeductedV1 {
    StockDeductedV1 { order_id, deducted_at }
}
