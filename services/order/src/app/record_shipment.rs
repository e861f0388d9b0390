//! Records a shipment or a delivery that a carrier reports.

use messaging::Transaction;
use runtime::clock;
use vocabulary::{ParcelId, ShipmentId};

use super::order_process::{OrderProcess, OrderUpdate};
use crate::{
    domain::{self, ParcelRefused, Shipment},
    storage::orders::LockedOrder,
};

#[derive(Debug)]
pub(crate) struct RecordShipmentCommand {
    pub(crate) locked: LockedOrder,
    /// `None` for all parcels of the order.
    pub(crate) parcel: Option<ParcelId>,
    pub(crate) update: ShipmentUpdate,
}

/// The progress of a shipment.
#[derive(Debug)]
pub(crate) enum ShipmentUpdate {
    Shipped { carrier: String, tracking_number: String },
    Delivered,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordShipmentError {
    #[error(transparent)]
    Refused(#[from] ParcelRefused),
    #[error(transparent)]
    Messaging(#[from] messaging::Error),
}

/// An update that another carrier, for example the built-in one, reported before changes nothing.
pub(crate) async fn record_shipment(
    tx: &mut Transaction,
    process: &OrderProcess,
    command: RecordShipmentCommand,
) -> Result<OrderUpdate, RecordShipmentError> {
    let RecordShipmentCommand { locked: LockedOrder { order, trace }, parcel, update } = command;
    let now = clock::now();
    let transition = match update {
        ShipmentUpdate::Shipped { carrier, tracking_number } => {
            let new_shipment = || Shipment {
                id: ShipmentId::new(),
                carrier: carrier.clone(),
                tracking_number: tracking_number.clone(),
            };
            domain::ship(order, parcel, new_shipment, now)?
        }
        ShipmentUpdate::Delivered => domain::deliver(order, parcel, now)?,
    };
    Ok(process.record_one(tx, trace, transition, now).await?)
}
