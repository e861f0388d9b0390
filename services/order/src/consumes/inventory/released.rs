//! `stock.released.v1`: only the timeline tells of it.

use contracts::inventory::StockReleasedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::{decide, lock};
use crate::{domain, process::Process};

/// Writes down that what was set aside for an order is free again.
pub(crate) struct NoteReleased(pub(crate) Process);

impl Handler for NoteReleased {
    type Event = StockReleasedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockReleasedV1>,
    ) -> Result<(), Failure> {
        let Some(mut locked) = lock(tx, batch, |event| event.order_id).await? else {
            return Ok(());
        };
        let changes = decide(
            batch,
            &mut locked,
            |event| event.order_id,
            |order, event| domain::stock_released(order, event.released_at),
        );
        Ok(self.0.tell(tx, &changes).await?)
    }
}
