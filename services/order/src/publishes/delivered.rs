//! `order.delivered.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderDeliveredV1;
use vocabulary::OrderId;

/// The parcel of an order has arrived.
pub(super) fn delivered(order: OrderId, at: DateTime<Utc>) -> OrderDeliveredV1 {
    OrderDeliveredV1 { order_id: order, delivered_at: at }
}
