//! `product.changed.v1`: the copy takes over prices, titles, and what is for sale.

use std::collections::{HashMap, HashSet};

use contracts::catalog::{ProductChangedV1, ProductStatus};
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::{ProductId, Sku};

use super::{raise, say_applied};
use crate::{domain::Offer, storage::offers};

/// Copies what products offer.
pub(crate) struct CopyOffers;

impl Handler for CopyOffers {
    type Event = ProductChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductChangedV1>,
    ) -> Result<(), Failure> {
        // An event holds the full state, so of several of one product only the newest counts.
        let mut newest: HashMap<ProductId, &ProductChangedV1> = HashMap::new();
        for delivered in batch.delivered() {
            let kept = newest.entry(delivered.event.product_id).or_insert(&delivered.event);
            if kept.version < delivered.event.version {
                *kept = &delivered.event;
            }
        }
        let versions = newest.iter().map(|(product, event)| (*product, event.version)).collect();
        let raised = raise(tx, &versions).await?;
        let is_news: HashSet<ProductId> = raised.iter().copied().collect();
        let news = newest.into_values().filter(|event| is_news.contains(&event.product_id));
        let listed: Vec<(&Sku, Offer, bool)> = news.flat_map(offered).collect();
        offers::withdraw(tx, &raised, &listed).await?;
        offers::write(tx, &listed).await?;
        let cause = batch.delivered().first().and_then(|delivered| delivered.cause);
        Ok(say_applied(tx, cause, versions)?)
    }
}

/// What a product offers, and whether it is for sale.
fn offered(event: &ProductChangedV1) -> impl Iterator<Item = (&Sku, Offer, bool)> {
    let for_sale = match event.status {
        ProductStatus::Active => true,
        ProductStatus::Draft | ProductStatus::Archived => false,
    };
    event.variants.iter().map(move |variant| {
        let offer =
            Offer { product: event.product_id, price: variant.price, title: event.title.clone() };
        (&variant.sku, offer, for_sale)
    })
}
