//! `order.placed.v1`.

use contracts::order::{Destination, OrderPlacedV1};

use super::order_lines;
use crate::domain::{self, Order};

pub(super) fn order_placed(
    order: &Order,
    destination: Option<&domain::Destination>,
) -> OrderPlacedV1 {
    let destination = destination.cloned();
    OrderPlacedV1 {
        order_id: order.id,
        customer_id: order.customer,
        lines: order_lines(order),
        destination: destination
            .map(|domain::Destination { country, region }| Destination { country, region }),
        placed_at: order.placed_at,
    }
}
