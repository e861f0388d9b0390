//! `order.shipped.v1`: what is set aside for the order has left the warehouse.

use contracts::order::OrderShippedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::consumes::close::{Ending, close};

/// Ends the reservation.
#[derive(Debug, Clone, Copy)]
pub struct DeductStock;

impl Handler for DeductStock {
    type Event = OrderShippedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderShippedV1>,
    ) -> Result<(), Failure> {
        close(tx, batch, Ending::Deduct, |event| event.order_id).await
    }
}
