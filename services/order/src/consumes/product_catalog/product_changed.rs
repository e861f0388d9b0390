//! `product.changed.v1`

use std::collections::{HashMap, HashSet};

use contracts::catalog::{ProductChangedV1, ProductStatus};
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::{ProductId, Sku};

use super::{advance_versions, emit_product_applied};
use crate::{domain::Offer, storage::offers};

/// Copies prices, titles and whether a SKU is for sale.
pub(crate) struct UpdateOffers;

impl Handler for UpdateOffers {
    type Event = ProductChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductChangedV1>,
    ) -> Result<(), Failure> {
        // An event holds the full state of its product, so only the newest event of a product counts.
        let mut newest: HashMap<ProductId, &ProductChangedV1> = HashMap::new();
        for delivered in batch.delivered() {
            let kept = newest.entry(delivered.event.product_id).or_insert(&delivered.event);
            if kept.version < delivered.event.version {
                *kept = &delivered.event;
            }
        }
        let versions = newest.iter().map(|(product, event)| (*product, event.version)).collect();
        let advanced = advance_versions(tx, &versions).await?;
        let is_newer: HashSet<ProductId> = advanced.iter().copied().collect();
        let newer = newest.into_values().filter(|event| is_newer.contains(&event.product_id));
        let listed: Vec<(&Sku, Offer, bool)> = newer.flat_map(offers_of).collect();
        offers::withdraw_unlisted(tx, &advanced, &listed).await?;
        offers::upsert(tx, &listed).await?;
        let cause = batch.delivered().first().and_then(|delivered| delivered.cause);
        Ok(emit_product_applied(tx, cause, versions)?)
    }
}

/// The offers of a product, and whether they are for sale.
fn offers_of(event: &ProductChangedV1) -> impl Iterator<Item = (&Sku, Offer, bool)> {
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
