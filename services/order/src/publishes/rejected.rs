//! `order.rejected.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderRejectedV1;
use vocabulary::OrderId;

use crate::domain::Reason;

/// Inventory did not have what an order asks for.
pub(super) fn rejected(order: OrderId, reason: &Reason, at: DateTime<Utc>) -> OrderRejectedV1 {
    OrderRejectedV1 { order_id: order, reason: super::reason(reason), rejected_at: at }
}
