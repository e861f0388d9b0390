//! `stock.deducted.v1`

use contracts::inventory::StockDeductedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::{decide_each, lock_orders};
use crate::{app::order_process::OrderProcess, domain};

/// Adds the event to the timeline.
pub(crate) struct RecordStockDeducted(pub(crate) OrderProcess);

impl Handler for RecordStockDeducted {
    type Event = StockDeductedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockDeductedV1>,
    ) -> Result<(), Failure> {
        let Some(mut locked) = lock_orders(tx, batch, |event| event.order_id).await? else {
            return Ok(());
        };
        let transitions = decide_each(
            batch,
            &mut locked,
            |event| event.order_id,
            |order, event| domain::record_stock_deducted(order, event.deducted_at),
        );
        Ok(self.0.publish(tx, &transitions).await?)
    }
}
