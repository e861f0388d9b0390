//! `product.deleted.v1`

use contracts::catalog::ProductDeletedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::{NewestVersions, advance_versions, emit_product_applied};
use crate::storage::offers;

/// Marks the offers of the product as not for sale. They stay, because open orders may need their prices.
pub(crate) struct WithdrawOffers;

impl Handler for WithdrawOffers {
    type Event = ProductDeletedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductDeletedV1>,
    ) -> Result<(), Failure> {
        let mut versions = NewestVersions::new();
        for delivered in batch.delivered() {
            let kept =
                versions.entry(delivered.event.product_id).or_insert(delivered.event.version);
            *kept = delivered.event.version.max(*kept);
        }
        let advanced = advance_versions(tx, &versions).await?;
        offers::withdraw_unlisted(tx, &advanced, &[]).await?;
        let cause = batch.delivered().first().and_then(|delivered| delivered.cause);
        Ok(emit_product_applied(tx, cause, versions)?)
    }
}
