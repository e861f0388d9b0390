//! `order.expired.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderExpiredV1;
use vocabulary::OrderId;

pub(super) fn order_expired(order: OrderId, at: DateTime<Utc>) -> OrderExpiredV1 {
    OrderExpiredV1 { order_id: order, expired_at: at }
}
