//! `order.placed.v1`.

use contracts::order::OrderPlacedV1;

use super::order_lines;
use crate::domain::Order;

pub(super) fn order_placed(order: &Order) -> OrderPlacedV1 {
    OrderPlacedV1 {
        order_id: order.id,
        customer_id: order.customer,
        lines: order_lines(order),
        placed_at: order.placed_at,
    }
}
