//! `order.cancelled.v1`: what is set aside for the order is free again.

use contracts::order::OrderCancelledV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::consumes::close::{Ending, close};

/// Ends the reservation.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseCancelled;

impl Handler for ReleaseCancelled {
    type Event = OrderCancelledV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderCancelledV1>,
    ) -> Result<(), Failure> {
        close(tx, batch, Ending::Release("cancelled"), |event| event.order_id).await
    }
}
