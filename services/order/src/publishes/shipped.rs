//! `order.shipped.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderShippedV1;
use vocabulary::OrderId;

use crate::domain::Parcel;

/// The parcel of an order has left.
pub(super) fn shipped(order: OrderId, parcel: &Parcel, at: DateTime<Utc>) -> OrderShippedV1 {
    OrderShippedV1 {
        order_id: order,
        shipment_id: parcel.id,
        carrier: parcel.carrier.clone(),
        tracking_number: parcel.tracking_number.clone(),
        shipped_at: at,
    }
}
