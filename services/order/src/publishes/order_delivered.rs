//! `order.delivered.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderDeliveredV1;
use vocabulary::OrderId;

pub(super) fn order_delivered(order: OrderId, at: DateTime<Utc>) -> OrderDeliveredV1 {
    OrderDeliveredV1 { order_id: order, delivered_at: at }
}
