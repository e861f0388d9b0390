//! Records a shipment or a delivery that a carrier reports.

use messaging::Transaction;
use runtime::clock;

use super::order_process::{OrderProcess, OrderUpdate};
use crate::{
    domain::{self, InvalidTransition, OrderStatus, Shipment},
    storage::orders::LockedOrder,
};

#[derive(Debug)]
pub(crate) struct RecordShipmentCommand {
    pub(crate) locked: LockedOrder,
    pub(crate) update: ShipmentUpdate,
}

/// The progress of a shipment.
#[derive(Debug)]
pub(crate) enum ShipmentUpdate {
    Shipped(Shipment),
    Delivered,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordShipmentError {
    #[error(transparent)]
    InvalidTransition(#[from] InvalidTransition),
    #[error(transparent)]
    Messaging(#[from] messaging::Error),
}

/// An update that another carrier, for example the built-in one, reported before changes nothing.
pub(crate) async fn record_shipment(
    tx: &mut Transaction,
    process: &OrderProcess,
    command: RecordShipmentCommand,
) -> Result<OrderUpdate, RecordShipmentError> {
    let RecordShipmentCommand { locked: LockedOrder { order, trace }, update } = command;
    let reported = match &update {
        ShipmentUpdate::Shipped(_) => OrderStatus::Shipped,
        ShipmentUpdate::Delivered => OrderStatus::Delivered,
    };
    let status = order.status();
    if [reported, OrderStatus::Delivered].contains(&status) {
        return Ok(OrderUpdate { status, changed: false });
    }
    let now = clock::now();
    let transition = match update {
        ShipmentUpdate::Shipped(shipment) => domain::ship(order, shipment, now)?,
        ShipmentUpdate::Delivered => domain::deliver(order, now)?,
    };
    Ok(process.record_one(tx, trace, transition, now).await?)
}
