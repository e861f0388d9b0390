//! `stock.released.v1`: what was set aside for an order is free again.

use chrono::{DateTime, Utc};
use contracts::inventory::StockReleasedV1;
use vocabulary::OrderId;

/// The event for `order_id`.
pub const fn stock_released(order_id: OrderId, released_at: DateTime<Utc>) -> StockReleasedV1 {
    StockReleasedV1 { order_id, released_at }
}
