//! `stock.deducted.v1`

use contracts::inventory::StockDeductedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::lock_orders;
use crate::{
    app::{
        order_process::OrderProcess,
        record_stock_deducted::{RecordStockDeductedCommand, record_stock_deducted},
    },
    domain::ReportedStock,
};

/// Adds the event to the timeline.
pub(crate) struct RecordStockDeducted(pub(crate) OrderProcess);

impl Handler for RecordStockDeducted {
    type Event = StockDeductedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockDeductedV1>,
    ) -> Result<(), Failure> {
        let Some(locked) =
            lock_orders(tx, batch, ReportedStock::Deducted, |event| event.order_id).await?
        else {
            return Ok(());
        };
        let commands = batch.delivered().iter().map(|delivered| RecordStockDeductedCommand {
            order: delivered.event.order_id,
            deducted_at: delivered.event.deducted_at,
            cause: delivered.cause,
        });
        Ok(record_stock_deducted(tx, &self.0, locked, commands.collect()).await?)
    }
}
