//! `order.expired.v1`: nobody paid in time; what is set aside for the order is free again.

use contracts::order::OrderExpiredV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::consumes::close::{Ending, close};

/// Ends the reservation.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseExpired;

impl Handler for ReleaseExpired {
    type Event = OrderExpiredV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderExpiredV1>,
    ) -> Result<(), Failure> {
        close(tx, batch, Ending::Release("expired"), |event| event.order_id).await
    }
}
