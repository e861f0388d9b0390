//! `order.cancelled.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderCancelledV1;
use vocabulary::OrderId;

use crate::domain::Reason;

/// An order was called off.
pub(super) fn cancelled(order: OrderId, reason: &Reason, at: DateTime<Utc>) -> OrderCancelledV1 {
    OrderCancelledV1 { order_id: order, reason: super::reason(reason), cancelled_at: at }
}
