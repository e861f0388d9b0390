//! `order.confirmed.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderConfirmedV1;
use vocabulary::PaymentId;

use super::lines;
use crate::domain::Order;

/// An order is paid. Only an order whose total is known is ever reserved, and only a reserved one is paid; nothing is
/// said of an order without a total.
pub(super) fn confirmed(
    order: &Order,
    payment: PaymentId,
    at: DateTime<Utc>,
) -> Option<OrderConfirmedV1> {
    Some(OrderConfirmedV1 {
        order_id: order.id,
        customer_id: order.customer,
        lines: lines(order),
        total: order.total?,
        payment_id: payment,
        confirmed_at: at,
    })
}
