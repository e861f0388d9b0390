//! `order.payment_failed.v1`: what is set aside for the order is free again.

use contracts::order::OrderPaymentFailedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::consumes::close::{Ending, close};

/// Ends the reservation.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseUnpaid;

impl Handler for ReleaseUnpaid {
    type Event = OrderPaymentFailedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderPaymentFailedV1>,
    ) -> Result<(), Failure> {
        close(tx, batch, Ending::Release("payment_failed"), |event| event.order_id).await
    }
}
