//! `order.payment_failed.v1`: releases the reservation.

use contracts::order::OrderPaymentFailedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::release_or_deduct;
use crate::domain::{LowStock, ReservationOutcome};

#[derive(Debug, Clone, Copy)]
pub(crate) struct ReleaseUnpaidOrder(pub(crate) LowStock);

impl Handler for ReleaseUnpaidOrder {
    type Event = OrderPaymentFailedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderPaymentFailedV1>,
    ) -> Result<(), Failure> {
        let outcome = ReservationOutcome::Released { reason: "payment_failed" };
        release_or_deduct(tx, self.0, batch, outcome, |event| event.order_id).await
    }
}
