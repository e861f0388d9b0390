//! `order.rejected.v1`: releases the reservation, if there is one. Usually inventory rejected the order
//! itself.

use contracts::order::OrderRejectedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::release_or_deduct;
use crate::domain::{LowStock, ReservationOutcome};

#[derive(Debug, Clone, Copy)]
pub(crate) struct ReleaseRejectedOrder(pub(crate) LowStock);

impl Handler for ReleaseRejectedOrder {
    type Event = OrderRejectedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderRejectedV1>,
    ) -> Result<(), Failure> {
        let outcome = ReservationOutcome::Released { reason: "rejected" };
        release_or_deduct(tx, self.0, batch, outcome, |event| event.order_id).await
    }
}
