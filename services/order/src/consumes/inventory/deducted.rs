//! `stock.deducted.v1`: only the timeline tells of it.

use contracts::inventory::StockDeductedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::{decide, lock};
use crate::{domain, process::Process};

/// Writes down that what was set aside for an order has left the warehouse.
pub(crate) struct NoteDeducted(pub(crate) Process);

impl Handler for NoteDeducted {
    type Event = StockDeductedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockDeductedV1>,
    ) -> Result<(), Failure> {
        let Some(mut locked) = lock(tx, batch, |event| event.order_id).await? else {
            return Ok(());
        };
        let changes = decide(
            batch,
            &mut locked,
            |event| event.order_id,
            |order, event| domain::stock_deducted(order, event.deducted_at),
        );
        Ok(self.0.tell(tx, &changes).await?)
    }
}
