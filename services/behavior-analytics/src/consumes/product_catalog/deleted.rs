//! `product.deleted.v1`: the product is shown to nobody any more.

use std::collections::BTreeMap;

use contracts::catalog::ProductDeletedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use runtime::clock;
use vocabulary::{ProductId, Version};

use crate::{learning::Wake, publishes::product_applied::product_applied, storage::products};

/// Drops the product.
#[derive(Debug, Clone)]
pub struct DropProduct(pub Wake);

impl Handler for DropProduct {
    type Event = ProductDeletedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductDeletedV1>,
    ) -> Result<(), Failure> {
        let delivered = batch.delivered();
        let versions = || delivered.iter().map(|one| (one.event.product_id, one.event.version));
        // Of several versions of a product only the newest matters.
        let mut sorted: Vec<(ProductId, Version)> = versions().collect();
        sorted.sort();
        let newest: Vec<(ProductId, Version)> =
            sorted.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect();
        products::delete(tx, &newest).await?;
        if let Some(receipt) = product_applied(versions(), clock::now()) {
            tx.emit_caused_by(delivered.last().and_then(|one| one.cause), &receipt)?;
        }
        self.0.after(tx);
        Ok(())
    }
}
