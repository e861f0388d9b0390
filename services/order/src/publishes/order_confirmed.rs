//! `order.confirmed.v1`.

use chrono::{DateTime, Utc};
use contracts::order::{OrderConfirmedV1, Parcel};
use vocabulary::PaymentId;

use super::{order_lines, parcel_lines};
use crate::domain::{self, Order};

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
        parcels: Some(order.parcel_list().iter().map(parcel).collect()),
        confirmed_at: at,
    })
}

fn parcel(parcel: &domain::Parcel) -> Parcel {
    Parcel {
        parcel_id: parcel.id,
        warehouse_id: parcel.warehouse,
        lines: parcel_lines(&parcel.lines),
    }
}
