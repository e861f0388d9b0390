//! `product.changed.v1`: updates the products that can be recommended.

use std::collections::BTreeMap;

use contracts::catalog::{self, ProductChangedV1};
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::ProductId;

use super::emit_product_applied;
use crate::{
    app::model_waker::ModelWaker,
    domain::product::{CatalogProduct, ProductStatus},
    storage::products,
};

#[derive(Debug, Clone)]
pub(crate) struct UpdateProduct(pub(crate) ModelWaker);

impl Handler for UpdateProduct {
    type Event = ProductChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductChangedV1>,
    ) -> Result<(), Failure> {
        let delivered = batch.delivered();
        let mut events: Vec<&ProductChangedV1> = delivered.iter().map(|one| &one.event).collect();
        // Only the newest version of each product is written.
        events.sort_by_key(|event| event.version);
        let newest: BTreeMap<ProductId, &ProductChangedV1> =
            events.into_iter().map(|event| (event.product_id, event)).collect();
        let newest: Vec<CatalogProduct<'_>> = newest.into_values().map(catalog_product).collect();
        let written = products::upsert_newer(tx, &newest).await?;
        emit_product_applied(tx, delivered, |event| (event.product_id, event.version))?;
        let count = u64::try_from(delivered.len()).unwrap_or_default();
        tx.after_commit(move || {
            let skipped = count.saturating_sub(written);
            metrics::counter!("behavior_products_skipped_total").increment(skipped);
        });
        self.0.wake_after_commit(tx);
        Ok(())
    }
}

fn catalog_product(changed: &ProductChangedV1) -> CatalogProduct<'_> {
    CatalogProduct {
        product_id: changed.product_id,
        version: changed.version,
        category: &changed.category,
        status: match changed.status {
            catalog::ProductStatus::Draft => ProductStatus::Draft,
            catalog::ProductStatus::Active => ProductStatus::Active,
            catalog::ProductStatus::Archived => ProductStatus::Archived,
        },
        skus: changed.variants.iter().map(|variant| &variant.sku).collect(),
    }
}
