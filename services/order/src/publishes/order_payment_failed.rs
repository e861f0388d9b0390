//! `order.payment_failed.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderPaymentFailedV1;
use vocabulary::OrderId;

use super::order_reason;
use crate::domain::EndReason;

pub(super) fn order_payment_failed(
    order: OrderId,
    reason: &EndReason,
    at: DateTime<Utc>,
) -> OrderPaymentFailedV1 {
    OrderPaymentFailedV1 { order_id: order, reason: order_reason(reason), failed_at: at }
}
