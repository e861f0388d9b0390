//! `stock.changed.v1`: updates whether products are in stock.

use std::collections::BTreeMap;

use contracts::inventory::StockChangedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::Sku;

use crate::{app::model_waker::ModelWaker, domain::product::SkuStock, storage::products};

#[derive(Debug, Clone)]
pub(crate) struct UpdateStock(pub(crate) ModelWaker);

impl Handler for UpdateStock {
    type Event = StockChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockChangedV1>,
    ) -> Result<(), Failure> {
        let mut events: Vec<&StockChangedV1> =
            batch.delivered().iter().map(|delivered| &delivered.event).collect();
        // Only the newest version of each SKU is written.
        events.sort_by_key(|event| event.version);
        let newest: BTreeMap<&Sku, &StockChangedV1> =
            events.into_iter().map(|event| (&event.sku, event)).collect();
        let stock: Vec<SkuStock<'_>> = newest.into_values().map(sku_stock).collect();
        products::update_stock(tx, &stock).await?;
        self.0.wake_after_commit(tx);
        Ok(())
    }
}

const fn sku_stock(changed: &StockChangedV1) -> SkuStock<'_> {
    SkuStock { sku: &changed.sku, version: changed.version, available: changed.available }
}
