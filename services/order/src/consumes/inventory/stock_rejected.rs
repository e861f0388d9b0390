//! `stock.rejected.v1`

use contracts::inventory::{StockRejectedV1, StockRejection};
use messaging::{Batch, Failure, Handler, Transaction};

use super::lock_orders;
use crate::{
    app::{
        order_process::OrderProcess,
        reject_order::{RejectOrderCommand, reject_orders},
    },
    domain::{EndReason, ReportedStock, Shortage},
};

/// Rejects the order, with the shortages as the reason.
pub(crate) struct RejectOrder(pub(crate) OrderProcess);

impl Handler for RejectOrder {
    type Event = StockRejectedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockRejectedV1>,
    ) -> Result<(), Failure> {
        let Some(locked) =
            lock_orders(tx, batch, ReportedStock::Rejected, |event| event.order_id).await?
        else {
            return Ok(());
        };
        let commands = batch.delivered().iter().map(|delivered| RejectOrderCommand {
            order: delivered.event.order_id,
            reason: end_reason(&delivered.event),
            rejected_at: delivered.event.rejected_at,
            cause: delivered.cause,
        });
        Ok(reject_orders(tx, &self.0, locked, commands.collect()).await?)
    }
}

fn end_reason(event: &StockRejectedV1) -> EndReason {
    let text = match event.reason {
        StockRejection::InsufficientStock => "There is not enough stock.",
        StockRejection::UnknownSku => "The shop does not know a SKU of the order.",
    };
    let shortages = event.shortages.iter().map(|shortage| Shortage {
        sku: shortage.sku.clone(),
        requested: shortage.requested,
        available: shortage.available,
    });
    EndReason { shortages: shortages.collect(), ..EndReason::new(event.reason.code(), text) }
}
