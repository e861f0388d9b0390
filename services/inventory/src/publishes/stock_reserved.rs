//! `stock.reserved.v1`: every line of an order is reserved.

use chrono::{DateTime, Utc};
use contracts::inventory::StockReservedV1;
use vocabulary::OrderId;

pub(crate) const fn stock_reserved(
    order_id: OrderId,
    left: Option<i64>,
    reserved_at: DateTime<Utc>,
) -> StockReservedV1 {
    StockReservedV1 { order_id, reserved_at, left }
}
