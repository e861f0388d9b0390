//! `product.deleted.v1`: the product is no longer recommended.

use std::collections::BTreeMap;

use contracts::catalog::ProductDeletedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::{ProductId, Version};

use super::emit_product_applied;
use crate::{app::model_waker::ModelWaker, storage::products};

#[derive(Debug, Clone)]
pub(crate) struct DeleteProduct(pub(crate) ModelWaker);

impl Handler for DeleteProduct {
    type Event = ProductDeletedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductDeletedV1>,
    ) -> Result<(), Failure> {
        let delivered = batch.delivered();
        // Only the newest version of each product is written.
        let versions = delivered.iter().map(|one| (one.event.product_id, one.event.version));
        let mut sorted: Vec<(ProductId, Version)> = versions.collect();
        sorted.sort();
        let newest: BTreeMap<ProductId, Version> = sorted.into_iter().collect();
        let newest: Vec<(ProductId, Version)> = newest.into_iter().collect();
        products::mark_deleted(tx, &newest).await?;
        emit_product_applied(tx, delivered, |event| (event.product_id, event.version))?;
        self.0.wake_after_commit(tx);
        Ok(())
    }
}
