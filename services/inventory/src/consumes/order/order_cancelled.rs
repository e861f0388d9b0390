//! `order.cancelled.v1`: releases the reservation.

use contracts::order::OrderCancelledV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::release_or_deduct;
use crate::domain::{LowStock, ReservationOutcome};

#[derive(Debug, Clone, Copy)]
pub(crate) struct ReleaseCancelledOrder(pub(crate) LowStock);

impl Handler for ReleaseCancelledOrder {
    type Event = OrderCancelledV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderCancelledV1>,
    ) -> Result<(), Failure> {
        let outcome = ReservationOutcome::Released { reason: "cancelled" };
        release_or_deduct(tx, self.0, batch, outcome, |event| event.order_id).await
    }
}
