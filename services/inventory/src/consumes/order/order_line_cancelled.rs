//! `order.line_cancelled.v1`: releases the pieces of a line.

use contracts::order::{self, OrderLineCancelledV1};
use messaging::{Batch, Failure, Handler, Transaction};

use crate::{
    app::{ReleaseLineCommand, release_lines},
    domain::{CancelledPieces, LowStock},
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct ReleaseLine(pub(crate) LowStock);

impl Handler for ReleaseLine {
    type Event = OrderLineCancelledV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderLineCancelledV1>,
    ) -> Result<(), Failure> {
        let commands = batch.delivered().iter().map(|delivery| ReleaseLineCommand {
            order: delivery.event.order_id,
            id: delivery.event.cancellation_id,
            sku: delivery.event.sku.clone(),
            pieces: delivery.event.pieces.iter().map(pieces).collect(),
            cause: delivery.cause,
        });
        let commands: Vec<ReleaseLineCommand> = commands.collect();
        for (index, error) in release_lines(tx, self.0, &commands).await? {
            batch.fail(index, Failure::reject("nothing_reserved", error));
        }
        Ok(())
    }
}

fn pieces(pieces: &order::CancelledPieces) -> CancelledPieces {
    CancelledPieces { warehouse: pieces.warehouse_id, quantity: i64::from(pieces.quantity.get()) }
}
