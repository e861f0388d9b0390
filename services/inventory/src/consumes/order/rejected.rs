//! `order.rejected.v1`: mostly the echo of our own rejection; otherwise what is set aside for the order is free again.

use contracts::order::OrderRejectedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::consumes::close::{Ending, close};

/// Ends the reservation.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseRejected;

impl Handler for ReleaseRejected {
    type Event = OrderRejectedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderRejectedV1>,
    ) -> Result<(), Failure> {
        close(tx, batch, Ending::Release("rejected"), |event| event.order_id).await
    }
}
