//! `stock.changed.v1`: whether a product can be bought now.

use std::collections::BTreeMap;

use contracts::inventory::StockChangedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::Sku;

use crate::{
    learning::Wake,
    storage::products::{self, SkuStock},
};

/// Follows the levels.
#[derive(Debug, Clone)]
pub struct FollowStock(pub Wake);

impl Handler for FollowStock {
    type Event = StockChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockChangedV1>,
    ) -> Result<(), Failure> {
        // Of several versions of a level only the newest matters.
        let mut events: Vec<&StockChangedV1> =
            batch.delivered().iter().map(|one| &one.event).collect();
        events.sort_by_key(|event| event.version);
        let newest: BTreeMap<&Sku, &StockChangedV1> =
            events.into_iter().map(|event| (&event.sku, event)).collect();
        let level = |(sku, event): (_, &StockChangedV1)| SkuStock {
            sku,
            version: event.version,
            available: event.available,
        };
        let levels: Vec<SkuStock<'_>> = newest.into_iter().map(level).collect();
        products::raise_stock(tx, &levels).await?;
        self.0.after(tx);
        Ok(())
    }
}
