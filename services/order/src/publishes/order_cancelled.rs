//! `order.cancelled.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderCancelledV1;
use vocabulary::OrderId;

use super::order_reason;
use crate::domain::EndReason;

pub(crate) fn order_cancelled(
    order: OrderId,
    reason: &EndReason,
    at: DateTime<Utc>,
) -> OrderCancelledV1 {
    OrderCancelledV1 { order_id: order, reason: order_reason(reason), cancelled_at: at }
}
