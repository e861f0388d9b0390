//! `order.expired.v1`: the payment deadline passed; releases the reservation.

use contracts::order::OrderExpiredV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::release_or_deduct;
use crate::domain::{LowStock, ReservationOutcome};

#[derive(Debug, Clone, Copy)]
pub(crate) struct ReleaseExpiredOrder(pub(crate) LowStock);

impl Handler for ReleaseExpiredOrder {
    type Event = OrderExpiredV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderExpiredV1>,
    ) -> Result<(), Failure> {
        let outcome = ReservationOutcome::Released { reason: "expired" };
        release_or_deduct(tx, self.0, batch, outcome, |event| event.order_id).await
    }
}
