//! The parcels of an order in JSON.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{ParcelId, Quantity, Sku, WarehouseId};

use crate::{
    domain::{Fulfilment, Parcel, ParcelLine, ParcelStatus},
    storage::order_views::ShipmentView,
};

/// How far the parcels of an order are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderFulfilment)]
pub(super) struct FulfilmentBody {
    state: FulfilmentStateBody,
    /// One for each warehouse that sends something; empty until the stock is reserved.
    parcels: Vec<ParcelBody>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FulfilmentState)]
enum FulfilmentStateBody {
    Unfulfilled,
    /// A carrier has some pieces; the order is still `confirmed`.
    PartlyShipped,
    Shipped,
    /// Some pieces have arrived, and carriers have the others; the order is `shipped`.
    PartlyDelivered,
    Delivered,
    /// All pieces have arrived, and some have come back; the order is `delivered`.
    PartlyReturned,
    /// All pieces have come back.
    Returned,
}

/// What one warehouse sends.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderParcel)]
struct ParcelBody {
    id: ParcelId,
    #[serde(skip_serializing_if = "Option::is_none")]
    warehouse_id: Option<WarehouseId>,
    state: ParcelStateBody,
    lines: Vec<ParcelLineBody>,
    /// Present once it is shipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    carrier: Option<String>,
    /// The carrier's number of the parcel.
    #[serde(skip_serializing_if = "Option::is_none")]
    tracking_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipped_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ParcelState)]
enum ParcelStateBody {
    /// In the warehouse.
    Pending,
    /// A carrier has it.
    Shipped,
    Delivered,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ParcelLine)]
struct ParcelLineBody {
    sku: Sku,
    quantity: Quantity,
}

impl FulfilmentBody {
    pub(super) fn new(
        fulfilment: Fulfilment,
        parcels: Vec<Parcel>,
        shipments: &[ShipmentView],
    ) -> Self {
        let parcel = |parcel: Parcel| {
            // An earlier version of this service shipped all parcels at once.
            let shipment = shipments
                .iter()
                .find(|shipment| shipment.parcel == Some(parcel.id))
                .or_else(|| shipments.iter().find(|shipment| shipment.parcel.is_none()));
            ParcelBody {
                id: parcel.id,
                warehouse_id: parcel.warehouse,
                state: parcel.status.into(),
                lines: parcel.lines.into_iter().map(ParcelLineBody::from).collect(),
                carrier: shipment.map(|shipment| shipment.carrier.clone()),
                tracking_number: shipment.map(|shipment| shipment.tracking_number.clone()),
                shipped_at: shipment.map(|shipment| shipment.shipped_at),
                delivered_at: shipment.and_then(|shipment| shipment.delivered_at),
            }
        };
        Self { state: fulfilment.into(), parcels: parcels.into_iter().map(parcel).collect() }
    }
}

impl From<ParcelLine> for ParcelLineBody {
    fn from(ParcelLine { sku, quantity }: ParcelLine) -> Self {
        Self { sku, quantity }
    }
}

impl From<ParcelStatus> for ParcelStateBody {
    fn from(status: ParcelStatus) -> Self {
        match status {
            ParcelStatus::Pending => Self::Pending,
            ParcelStatus::Shipped => Self::Shipped,
            ParcelStatus::Delivered => Self::Delivered,
        }
    }
}

impl From<Fulfilment> for FulfilmentStateBody {
    fn from(fulfilment: Fulfilment) -> Self {
        match fulfilment {
            Fulfilment::Unfulfilled => Self::Unfulfilled,
            Fulfilment::PartlyShipped => Self::PartlyShipped,
            Fulfilment::Shipped => Self::Shipped,
            Fulfilment::PartlyDelivered => Self::PartlyDelivered,
            Fulfilment::Delivered => Self::Delivered,
            Fulfilment::PartlyReturned => Self::PartlyReturned,
            Fulfilment::Returned => Self::Returned,
        }
    }
}
