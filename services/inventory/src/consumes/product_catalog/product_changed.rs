//! `product.changed.v1`: registers the product's SKUs.

use contracts::catalog::ProductChangedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::emit_product_applied;
use crate::app::{ListedProduct, register_skus};

#[derive(Debug, Clone, Copy)]
pub(crate) struct RegisterSkus;

impl Handler for RegisterSkus {
    type Event = ProductChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductChangedV1>,
    ) -> Result<(), Failure> {
        let delivered = batch.delivered();
        let products = delivered.iter().map(|delivery| ListedProduct {
            product: delivery.event.product_id,
            version: delivery.event.version,
            skus: delivery.event.variants.iter().map(|variant| &variant.sku).collect(),
        });
        let skipped = register_skus(tx, products.collect()).await?;
        emit_product_applied(tx, delivered, |event| (event.product_id, event.version))?;
        let skipped = u64::try_from(skipped).unwrap_or_default();
        tx.after_commit(move || {
            metrics::counter!("inventory_products_skipped_total").increment(skipped);
        });
        Ok(())
    }
}
