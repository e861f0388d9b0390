//! `order.parcel_shipped.v1`.

use chrono::{DateTime, Utc};
use contracts::order::OrderParcelShippedV1;
use vocabulary::ParcelId;

use super::parcel_lines;
use crate::domain::{Order, Parcels, Shipment};

/// `None` for an order with one parcel, which ships as a whole.
pub(super) fn order_parcel_shipped(
    order: &Order,
    parcel: ParcelId,
    shipment: &Shipment,
    at: DateTime<Utc>,
) -> Option<OrderParcelShippedV1> {
    let Parcels::Several(parcels) = &order.parcels else { return None };
    let parcel = parcels.iter().find(|other| other.id == parcel)?;
    Some(OrderParcelShippedV1 {
        order_id: order.id,
        parcel_id: parcel.id,
        warehouse_id: parcel.warehouse?,
        lines: parcel_lines(&parcel.lines),
        shipment_id: shipment.id,
        carrier: shipment.carrier.clone(),
        tracking_number: shipment.tracking_number.clone(),
        shipped_at: at,
    })
}
