//! `product.changed.v1`

use contracts::catalog::{ProductChangedV1, ProductStatus};
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::Sku;

use crate::{
    app::update_offers::{UpdateOffersCommand, update_offers},
    domain::Offer,
};

/// Copies prices, titles and whether a SKU is for sale.
pub(crate) struct UpdateOffers;

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
        Ok(update_offers(tx, cause, &commands).await?)
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
            let (product, title) = (event.product_id, event.title.clone());
            (variant.sku.clone(), Offer { product, price: variant.price, title })
        })
        .collect();
    UpdateOffersCommand { product: event.product_id, version: event.version, for_sale, offers }
}
