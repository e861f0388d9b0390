//! `stock.deducted.v1`: what was set aside for an order has left the warehouse.

use chrono::{DateTime, Utc};
use contracts::inventory::StockDeductedV1;
use vocabulary::OrderId;

/// The event for `order_id`.
pub const fn stock_deducted(order_id: OrderId, deducted_at: DateTime<Utc>) -> StockDeductedV1 {
    StockDeductedV1 { order_id, deducted_at }
}
