//! `order.shipped.v1`: deducts the reserved pieces.

use contracts::order::OrderShippedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::release_or_deduct;
use crate::domain::{LowStock, ReservationOutcome};

#[derive(Debug, Clone, Copy)]
pub(crate) struct DeductStock(pub(crate) LowStock);

impl Handler for DeductStock {
    type Event = OrderShippedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderShippedV1>,
    ) -> Result<(), Failure> {
        let outcome = ReservationOutcome::Deducted;
        release_or_deduct(tx, self.0, batch, outcome, |event| event.order_id).await
    }
}
