//! `product.deleted.v1`: the product's SKUs are withdrawn; what lies in the warehouses stays in the books.

use std::collections::BTreeMap;

use contracts::catalog::ProductDeletedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use runtime::clock;
use vocabulary::{ProductId, Version};

use crate::{publishes::product_applied::product_applied, storage::products};

/// Takes note that SKUs are withdrawn.
#[derive(Debug, Clone, Copy)]
pub struct WithdrawSkus;

impl Handler for WithdrawSkus {
    type Event = ProductDeletedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductDeletedV1>,
    ) -> Result<(), Failure> {
        let now = clock::now();
        let delivered = batch.delivered();
        let versions = || delivered.iter().map(|one| (one.event.product_id, one.event.version));
        // Of several versions of a product only the newest matters.
        let mut sorted: Vec<(ProductId, Version)> = versions().collect();
        sorted.sort();
        let newest: Vec<(ProductId, Version)> =
            sorted.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect();
        let raised = products::raise(tx, &newest, true).await?;
        products::list(tx, &raised, &[], now).await?;
        if let Some(receipt) = product_applied(versions(), now) {
            tx.emit_caused_by(delivered.last().and_then(|one| one.cause), &receipt)?;
        }
        Ok(())
    }
}
