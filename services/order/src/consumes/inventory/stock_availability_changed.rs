//! `stock.availability_changed.v1`

use contracts::inventory::StockAvailabilityChangedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::{
    app::{worker_waker::WorkerWaker, write_webhooks::write_event_webhooks},
    domain::webhooks::WebhookEventType,
    publishes::webhook_message::availability_message,
};

/// Reports it to webhook endpoints.
pub(crate) struct ReportAvailability(pub(crate) WorkerWaker);

impl Handler for ReportAvailability {
    type Event = StockAvailabilityChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockAvailabilityChangedV1>,
    ) -> Result<(), Failure> {
        let events: Vec<&StockAvailabilityChangedV1> =
            batch.delivered().iter().map(|delivered| &delivered.event).collect();
        let type_of = |event: &StockAvailabilityChangedV1| {
            if event.in_stock { WebhookEventType::StockBack } else { WebhookEventType::StockOut }
        };
        Ok(write_event_webhooks(tx, &self.0, &events, type_of, availability_message).await?)
    }
}
