//! `product.changed.v1`: the product's SKUs are known from now on.

use std::collections::{HashMap, HashSet};

use contracts::catalog::ProductChangedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use runtime::clock;
use vocabulary::{ProductId, Sku, Version};

use crate::{publishes::product_applied::product_applied, storage::products};

/// Takes note of SKUs.
#[derive(Debug, Clone, Copy)]
pub struct ListSkus;

impl Handler for ListSkus {
    type Event = ProductChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductChangedV1>,
    ) -> Result<(), Failure> {
        let now = clock::now();
        let delivered = batch.delivered();
        // Of several versions of a product only the newest matters.
        let mut events: Vec<&ProductChangedV1> = delivered.iter().map(|one| &one.event).collect();
        events.sort_by_key(|event| event.version);
        let newest: HashMap<ProductId, &ProductChangedV1> =
            events.into_iter().map(|event| (event.product_id, event)).collect();
        let versions: Vec<(ProductId, Version)> =
            newest.iter().map(|(product, event)| (*product, event.version)).collect();
        let raised = products::raise(tx, &versions, false).await?;
        let skipped = delivered.len().saturating_sub(raised.len());
        let is_raised: HashSet<&ProductId> = raised.iter().collect();
        let listed: Vec<(ProductId, &Sku)> = newest
            .into_iter()
            .filter(|(product, _)| is_raised.contains(product))
            .flat_map(|(product, event)| event.variants.iter().map(move |one| (product, &one.sku)))
            .collect();
        products::list(tx, &raised, &listed, now).await?;
        let versions = delivered.iter().map(|one| (one.event.product_id, one.event.version));
        if let Some(receipt) = product_applied(versions, now) {
            tx.emit_caused_by(delivered.last().and_then(|one| one.cause), &receipt)?;
        }
        let skipped = u64::try_from(skipped).unwrap_or_default();
        tx.after_commit(move || {
            metrics::counter!("inventory_products_skipped_total").increment(skipped);
        });
        Ok(())
    }
}
