//! `stock.reserved.v1`

use contracts::inventory::{self, StockReservedV1};
use messaging::{Batch, Failure, Handler, Transaction};

use super::lock_orders;
use crate::{
    app::{
        confirm_reservation::{ConfirmReservationCommand, confirm_reservations},
        order_process::OrderProcess,
    },
    domain::{Allocation, ReportedStock},
};

/// The attempts before an order with an unknown price is cancelled: about six seconds. Product events come through
/// another queue, so an order may overtake the event with its price.
const UNKNOWN_PRICE_ATTEMPTS: u32 = 6;

/// Reserves the order; the built-in payment provider settles it in the same transaction.
pub(crate) struct ConfirmReservation(pub(crate) OrderProcess);

impl Handler for ConfirmReservation {
    type Event = StockReservedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockReservedV1>,
    ) -> Result<(), Failure> {
        let Some(locked) =
            lock_orders(tx, batch, ReportedStock::Reserved, |event| event.order_id).await?
        else {
            return Ok(());
        };
        let commands = batch.delivered().iter().map(|delivered| ConfirmReservationCommand {
            order: delivered.event.order_id,
            reserved_at: delivered.event.reserved_at,
            left: delivered.event.left,
            allocations: allocations(&delivered.event),
            cause: delivered.cause,
            may_wait: delivered.attempts < UNKNOWN_PRICE_ATTEMPTS,
        });
        let commands: Vec<ConfirmReservationCommand> = commands.collect();
        for (index, unknown) in confirm_reservations(tx, &self.0, locked, &commands).await? {
            batch.fail(index, Failure::retry(unknown));
        }
        Ok(())
    }
}

fn allocations(reserved: &StockReservedV1) -> Vec<Allocation> {
    let allocations = reserved.allocations.iter().flatten();
    let allocation = |allocation: &inventory::Allocation| Allocation {
        sku: allocation.sku.clone(),
        warehouse: allocation.warehouse_id,
        quantity: allocation.quantity,
    };
    allocations.map(allocation).collect()
}
