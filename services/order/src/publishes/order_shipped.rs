//! `order.shipped.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderShippedV1;
use vocabulary::OrderId;

use crate::domain::Shipment;

pub(super) fn order_shipped(
    order: OrderId,
    shipment: &Shipment,
    at: DateTime<Utc>,
) -> OrderShippedV1 {
    OrderShippedV1 {
        order_id: order,
        shipment_id: shipment.id,
        carrier: shipment.carrier.clone(),
        tracking_number: shipment.tracking_number.clone(),
        shipped_at: at,
    }
}
