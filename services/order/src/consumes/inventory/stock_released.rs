//! `stock.released.v1`

use contracts::inventory::StockReleasedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::lock_orders;
use crate::{
    app::{
        order_process::OrderProcess,
        record_stock_released::{RecordStockReleasedCommand, record_stock_released},
    },
    domain::ReportedStock,
};

/// Adds the event to the timeline.
pub(crate) struct RecordStockReleased(pub(crate) OrderProcess);

impl Handler for RecordStockReleased {
    type Event = StockReleasedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockReleasedV1>,
    ) -> Result<(), Failure> {
        let Some(locked) =
            lock_orders(tx, batch, ReportedStock::Released, |event| event.order_id).await?
        else {
            return Ok(());
        };
        let commands = batch.delivered().iter().map(|delivered| RecordStockReleasedCommand {
            order: delivered.event.order_id,
            released_at: delivered.event.released_at,
            cause: delivered.cause,
        });
        Ok(record_stock_released(tx, &self.0, locked, commands.collect()).await?)
    }
}
