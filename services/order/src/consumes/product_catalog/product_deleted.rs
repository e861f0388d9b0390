//! `product.deleted.v1`

use contracts::catalog::ProductDeletedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::{
    app::{
        withdraw_offers::withdraw_offers, worker_waker::WorkerWaker,
        write_webhooks::write_event_webhooks,
    },
    domain::webhooks::WebhookEventType,
    publishes::webhook_message::deletion_message,
};

/// Marks the offers of the product as not for sale, and reports it to webhook endpoints.
pub(crate) struct WithdrawOffers(pub(crate) WorkerWaker);

impl Handler for WithdrawOffers {
    type Event = ProductDeletedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductDeletedV1>,
    ) -> Result<(), Failure> {
        let events = batch.delivered().iter().map(|delivered| &delivered.event);
        let deleted = events.map(|event| (event.product_id, event.version));
        let cause = batch.delivered().first().and_then(|delivered| delivered.cause);
        let advanced = withdraw_offers(tx, cause, deleted).await?;
        let events = batch.delivered().iter().map(|delivered| &delivered.event);
        let newest: Vec<&ProductDeletedV1> =
            events.filter(|event| advanced.contains(&(event.product_id, event.version))).collect();
        let type_of = |_: &ProductDeletedV1| WebhookEventType::ProductDeleted;
        Ok(write_event_webhooks(tx, &self.0, &newest, type_of, deletion_message).await?)
    }
}
