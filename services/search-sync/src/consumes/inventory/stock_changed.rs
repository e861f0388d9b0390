//! `stock.changed.v1`: whether products can be had.
//!
//! Every order moves stock, and almost never does a search answer differently for it. So the documents are looked at, and
//! their lock is taken, only where a SKU ran out or came back.

use std::collections::BTreeSet;

use contracts::inventory::StockChangedV1;
use messaging::{Batch, Failure, Handler, Transaction};
use vocabulary::Sku;

use crate::{
    domain::{Decision, Level, decide},
    storage::stock,
    tail::Wake,
};

/// Notes levels, and turns `in_stock` where it has to.
#[derive(Debug, Clone)]
pub struct FlipInStock(pub(crate) Wake);

impl Handler for FlipInStock {
    type Event = StockChangedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<StockChangedV1>,
    ) -> Result<(), Failure> {
        let heard = || batch.delivered().iter().map(|one| &one.event);
        let skus: BTreeSet<Sku> = heard().map(|event| event.sku.clone()).collect();
        let held = stock::lock(tx, &skus).await?;
        let levels = heard().map(|event| {
            let StockChangedV1 { available, version, .. } = *event;
            (event.sku.clone(), Level { available, version })
        });
        let Decision { newer, turned, skipped } = decide(&held, levels);
        if !newer.is_empty() {
            stock::write(tx, &newer).await?;
        }
        let flipped = !turned.is_empty() && stock::flip(tx, &turned).await?;
        let wake = self.0.clone();
        tx.after_commit(move || {
            if flipped {
                wake.wake();
            }
            metrics::counter!("search_stock_skipped_total")
                .increment(u64::try_from(skipped).unwrap_or_default());
        });
        Ok(())
    }
}
