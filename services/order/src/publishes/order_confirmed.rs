//! `order.confirmed.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderConfirmedV1;
use vocabulary::PaymentId;

use super::order_lines;
use crate::domain::Order;

/// `None` for an order without a total; the process reserves no such order, so it is never paid.
pub(super) fn order_confirmed(
    order: &Order,
    payment: PaymentId,
    at: DateTime<Utc>,
) -> Option<OrderConfirmedV1> {
    Some(OrderConfirmedV1 {
        order_id: order.id,
        customer_id: order.customer,
        lines: order_lines(order),
        total: order.total()?,
        payment_id: payment,
        confirmed_at: at,
    })
}
