//! `product.deleted.v1`: withdraws the product's SKUs. Their stock stays.

use contracts::catalog::ProductDeletedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::{ProductId, Version};

use super::emit_product_applied;
use crate::app::withdraw_skus;

#[derive(Debug, Clone, Copy)]
pub(crate) struct WithdrawSkus;

impl Handler for WithdrawSkus {
    type Event = ProductDeletedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductDeletedV1>,
    ) -> Result<(), Failure> {
        let delivered = batch.delivered();
        let version_of = |event: &ProductDeletedV1| (event.product_id, event.version);
        let versions: Vec<(ProductId, Version)> =
            delivered.iter().map(|delivery| version_of(&delivery.event)).collect();
        withdraw_skus(tx, versions).await?;
        Ok(emit_product_applied(tx, delivered, version_of)?)
    }
}
