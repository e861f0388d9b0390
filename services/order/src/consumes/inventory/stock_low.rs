//! `stock.low.v1`

use contracts::inventory::StockLowV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::{
    app::{worker_waker::WorkerWaker, write_webhooks::write_event_webhooks},
    domain::webhooks::WebhookEventType,
    publishes::webhook_message::low_stock_message,
};

/// Reports it to webhook endpoints.
pub(crate) struct ReportLowStock(pub(crate) WorkerWaker);

impl Handler for ReportLowStock {
    type Event = StockLowV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockLowV1>,
    ) -> Result<(), Failure> {
        let events: Vec<&StockLowV1> =
            batch.delivered().iter().map(|delivered| &delivered.event).collect();
        let type_of = |_: &StockLowV1| WebhookEventType::StockLow;
        Ok(write_event_webhooks(tx, &self.0, &events, type_of, low_stock_message).await?)
    }
}
