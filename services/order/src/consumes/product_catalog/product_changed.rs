//! `product.changed.v1`

use contracts::catalog::{ProductChangedV1, ProductStatus};
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::Sku;

use crate::{
    app::{
        update_offers::{UpdateOffersCommand, update_offers},
        worker_waker::WorkerWaker,
        write_webhooks::write_event_webhooks,
    },
    domain::{Offer, webhooks::WebhookEventType},
    publishes::webhook_message::product_message,
};

/// Copies prices, titles, options, pictures and whether a SKU is for sale, and reports the change to webhook endpoints.
pub(crate) struct UpdateOffers(pub(crate) WorkerWaker);

impl Handler for UpdateOffers {
    type Event = ProductChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductChangedV1>,
    ) -> Result<(), Failure> {
        let commands = batch.delivered().iter().map(|delivered| command(&delivered.event));
        let commands: Vec<UpdateOffersCommand> = commands.collect();
        let cause = batch.delivered().first().and_then(|delivered| delivered.cause);
        let advanced = update_offers(tx, cause, &commands).await?;
        // Changes that follow each other quickly are one message: the newest state.
        let newest = batch.delivered().iter().map(|delivered| &delivered.event);
        let newest: Vec<&ProductChangedV1> =
            newest.filter(|event| advanced.contains(&(event.product_id, event.version))).collect();
        let type_of = |_: &ProductChangedV1| WebhookEventType::ProductChanged;
        Ok(write_event_webhooks(tx, &self.0, &newest, type_of, product_message).await?)
    }
}

fn command(event: &ProductChangedV1) -> UpdateOffersCommand {
    let for_sale = match event.status {
        ProductStatus::Active => true,
        ProductStatus::Draft | ProductStatus::Archived => false,
    };
    let offers: Vec<(Sku, Offer)> = event
        .variants
        .iter()
        .map(|variant| {
            let offer = Offer {
                product: event.product_id,
                price: variant.price,
                title: event.title.clone(),
                options: variant.options.clone(),
                image: event.images.first().cloned(),
            };
            (variant.sku.clone(), offer)
        })
        .collect();
    UpdateOffersCommand { product: event.product_id, version: event.version, for_sale, offers }
}
