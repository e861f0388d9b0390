//! `order.payment_failed.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderPaymentFailedV1;
use vocabulary::OrderId;

use crate::domain::Reason;

/// The payment for an order was declined.
pub(super) fn payment_failed(
    order: OrderId,
    reason: &Reason,
    at: DateTime<Utc>,
) -> OrderPaymentFailedV1 {
    OrderPaymentFailedV1 { order_id: order, reason: super::reason(reason), failed_at: at }
}
