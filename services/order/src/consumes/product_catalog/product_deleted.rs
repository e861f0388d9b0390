//! `product.deleted.v1`

use contracts::catalog::ProductDeletedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::app::withdraw_offers::withdraw_offers;

/// Marks the offers of the product as not for sale.
pub(crate) struct WithdrawOffers;

impl Handler for WithdrawOffers {
    type Event = ProductDeletedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<ProductDeletedV1>,
    ) -> Result<(), Failure> {
        let events = batch.delivered().iter().map(|delivered| &delivered.event);
        let deleted = events.map(|event| (event.product_id, event.version));
        let cause = batch.delivered().first().and_then(|delivered| delivered.cause);
        Ok(withdraw_offers(tx, cause, deleted).await?)
    }
}
