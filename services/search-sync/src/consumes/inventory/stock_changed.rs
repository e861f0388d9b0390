//! `stock.changed.v1`: updates the availability of products.

use contracts::inventory::StockChangedV1;
use messaging::{Batch, Failure, Handler, Transaction};

use crate::{
    app::{IndexerWaker, update_availability::update_availability},
    domain::SkuStock,
};

#[derive(Debug, Clone)]
pub(crate) struct UpdateAvailability(pub(crate) IndexerWaker);

impl Handler for UpdateAvailability {
    type Event = StockChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockChangedV1>,
    ) -> Result<(), Failure> {
        let received = batch.delivered().iter().map(|delivered| {
            let StockChangedV1 { available, version, .. } = delivered.event;
            (delivered.event.sku.clone(), SkuStock { available, version })
        });
        Ok(update_availability(tx, received.collect(), &self.0).await?)
    }
}
