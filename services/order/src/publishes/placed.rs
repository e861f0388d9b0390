//! `order.placed.v1`.

use contracts::order::OrderPlacedV1;

use super::lines;
use crate::domain::Order;

/// An order was taken.
pub(super) fn placed(order: &Order) -> OrderPlacedV1 {
    OrderPlacedV1 {
        order_id: order.id,
        customer_id: order.customer,
        lines: lines(order),
        placed_at: order.placed_at,
    }
}
