//! `product.changed.v1`: what the recommender has to know of the product.

use std::collections::BTreeMap;

use contracts::catalog::ProductChangedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use runtime::clock;
use vocabulary::ProductId;

use crate::{
    learning::Wake,
    publishes::product_applied::product_applied,
    storage::products::{self, Product},
};

/// Takes the facts.
#[derive(Debug, Clone)]
pub struct TakeFacts(pub Wake);

impl Handler for TakeFacts {
    type Event = ProductChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductChangedV1>,
    ) -> Result<(), Failure> {
        let delivered = batch.delivered();
        // Of several versions of a product only the newest matters.
        let mut events: Vec<&ProductChangedV1> = delivered.iter().map(|one| &one.event).collect();
        events.sort_by_key(|event| event.version);
        let newest: BTreeMap<ProductId, &ProductChangedV1> =
            events.into_iter().map(|event| (event.product_id, event)).collect();
        let facts: Vec<Product<'_>> = newest.into_values().map(facts).collect();
        let raised = products::raise(tx, &facts).await?;
        let versions = delivered.iter().map(|one| (one.event.product_id, one.event.version));
        if let Some(receipt) = product_applied(versions, clock::now()) {
            tx.emit_caused_by(delivered.last().and_then(|one| one.cause), &receipt)?;
        }
        let all = u64::try_from(delivered.len()).unwrap_or_default();
        tx.after_commit(move || {
            let skipped = all.saturating_sub(raised);
            metrics::counter!("behavior_products_skipped_total").increment(skipped);
        });
        self.0.after(tx);
        Ok(())
    }
}

fn facts(changed: &ProductChangedV1) -> Product<'_> {
    Product {
        product_id: changed.product_id,
        version: changed.version,
        category: &changed.category,
        status: changed.status,
        skus: changed.variants.iter().map(|variant| &variant.sku).collect(),
    }
}
