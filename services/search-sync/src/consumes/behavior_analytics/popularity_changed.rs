//! `popularity.changed.v1`: updates the popularity of products.

use contracts::behavior::PopularityChangedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::app::{IndexerWaker, update_popularity::update_popularity};

#[derive(Debug, Clone)]
pub(crate) struct UpdatePopularity(pub(crate) IndexerWaker);

impl Handler for UpdatePopularity {
    type Event = PopularityChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<PopularityChangedV1>,
    ) -> Result<(), Failure> {
        let received = batch.delivered().iter().map(|delivered| {
            let PopularityChangedV1 { product_id, version, score, .. } = delivered.event;
            (product_id, version, score)
        });
        Ok(update_popularity(tx, received, &self.0).await?)
    }
}
