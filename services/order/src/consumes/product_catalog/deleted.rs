//! `product.deleted.v1`: nothing of the product is for sale any more.

use contracts::catalog::ProductDeletedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use super::{Newest, raise, say_applied};
use crate::storage::offers;

/// Takes deleted products off sale; what they cost is kept for orders that are under way.
pub(crate) struct Withdraw;

impl Handler for Withdraw {
    type Event = ProductDeletedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductDeletedV1>,
    ) -> Result<(), Failure> {
        let mut versions = Newest::new();
        for delivered in batch.delivered() {
            let kept =
                versions.entry(delivered.event.product_id).or_insert(delivered.event.version);
            *kept = delivered.event.version.max(*kept);
        }
        let raised = raise(tx, &versions).await?;
        offers::withdraw(tx, &raised, &[]).await?;
        let cause = batch.delivered().first().and_then(|delivered| delivered.cause);
        Ok(say_applied(tx, cause, versions)?)
    }
}
