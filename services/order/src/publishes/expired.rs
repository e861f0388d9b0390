//! `order.expired.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderExpiredV1;
use vocabulary::OrderId;

/// A deadline of an order passed.
pub(super) fn expired(order: OrderId, at: DateTime<Utc>) -> OrderExpiredV1 {
    OrderExpiredV1 { order_id: order, expired_at: at }
}
