//! Events of orders: they reserve stock, release it, deduct it or take it back.

mod order_cancelled;
mod order_expired;
mod order_line_cancelled;
mod order_parcel_shipped;
mod order_payment_failed;
mod order_placed;
mod order_rejected;
mod order_return_received;
mod order_shipped;

use messaging::{Batch, Failure, Transaction};
use vocabulary::OrderId;

pub(crate) use self::{
    order_cancelled::ReleaseCancelledOrder, order_expired::ReleaseExpiredOrder,
    order_line_cancelled::ReleaseLine, order_parcel_shipped::DeductParcel,
    order_payment_failed::ReleaseUnpaidOrder, order_placed::ReserveStock,
    order_rejected::ReleaseRejectedOrder, order_return_received::ReceiveReturn,
    order_shipped::DeductStock,
};
use crate::{
    app::{self, ReleaseOrDeductCommand},
    domain::{LowStock, ReservationOutcome},
};

/// Gives the reservations of the orders in `batch` the same outcome.
async fn release_or_deduct<E: envelope::Event>(
    tx: &mut Transaction,
    low: LowStock,
    batch: &mut Batch<E>,
    outcome: ReservationOutcome,
    order_of: impl Fn(&E) -> OrderId,
) -> Result<(), Failure> {
    let command = |delivery: &messaging::Delivered<E>| ReleaseOrDeductCommand {
        order: order_of(&delivery.event),
        cause: delivery.cause,
    };
    let commands: Vec<ReleaseOrDeductCommand> = batch.delivered().iter().map(command).collect();
    let code = match outcome {
        ReservationOutcome::Released { .. } => "inconsistent_reservation",
        ReservationOutcome::Deducted => "nothing_reserved",
    };
    for (index, error) in app::release_or_deduct(tx, low, &commands, outcome).await? {
        batch.fail(index, Failure::reject(code, error));
    }
    Ok(())
}
