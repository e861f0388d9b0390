//! `order.rejected.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderRejectedV1;
use vocabulary::OrderId;

use super::order_reason;
use crate::domain::EndReason;

pub(super) fn order_rejected(
    order: OrderId,
    reason: &EndReason,
    at: DateTime<Utc>,
) -> OrderRejectedV1 {
    OrderRejectedV1 { order_id: order, reason: order_reason(reason), rejected_at: at }
}
