//! `stock.reserved.v1`: all that an order asks for is set aside.

use chrono::{DateTime, Utc};
use contracts::inventory::StockReservedV1;
use vocabulary::OrderId;

/// The event for `order_id`.
pub const fn stock_reserved(order_id: OrderId, reserved_at: DateTime<Utc>) -> StockReservedV1 {
    StockReservedV1 { order_id, reserved_at }
}
