//! Updates the availability of products from the stock of their SKUs.
//!
//! Every order moves stock, but few movements change a search result. Only SKUs that ran out or came back
//! take the lock on the change counter.

use std::collections::BTreeSet;

use messaging::Transaction;
use vocabulary::Sku;

use super::IndexerWaker;
use crate::{
    domain::{SkuStock, StockUpdate, merge_stock},
    storage::stock,
};

/// Stores newer stock, updates the products of SKUs that ran out or came back, and wakes the indexer after
/// the commit.
pub(crate) async fn update_availability(
    tx: &mut Transaction,
    received: Vec<(Sku, SkuStock)>,
    indexer: &IndexerWaker,
) -> Result<(), sqlx::Error> {
    let skus: BTreeSet<Sku> = received.iter().map(|(sku, _)| sku.clone()).collect();
    let known = stock::lock(tx, &skus).await?;
    let StockUpdate { newer, availability_changed, skipped } = merge_stock(&known, received);
    if !newer.is_empty() {
        stock::write(tx, &newer).await?;
    }
    let changed = !availability_changed.is_empty()
        && stock::update_availability(tx, &availability_changed).await?;
    let indexer = indexer.clone();
    tx.after_commit(move || {
        if changed {
            indexer.wake();
        }
        metrics::counter!("search_stock_skipped_total")
            .increment(u64::try_from(skipped).unwrap_or_default());
    });
    Ok(())
}
