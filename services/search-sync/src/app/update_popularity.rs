//! Updates the popularity of products.

use std::collections::BTreeMap;

use messaging::Transaction;
use vocabulary::{ProductId, Version};

use super::IndexerWaker;
use crate::{domain::is_significant, storage::popularity};

/// Stores newer scores, copies significant changes to the documents, and wakes the indexer after the commit.
pub(crate) async fn update_popularity(
    tx: &mut Transaction,
    received: impl IntoIterator<Item = (ProductId, Version, f64)>,
    indexer: &IndexerWaker,
) -> Result<(), sqlx::Error> {
    let mut newest: BTreeMap<ProductId, (Version, f64)> = BTreeMap::new();
    for (product, version, score) in received {
        let known = newest.entry(product).or_insert((version, score));
        if known.0 < version {
            *known = (version, score);
        }
    }
    let scores: Vec<(ProductId, Version, f64)> =
        newest.into_iter().map(|(product, (version, score))| (product, version, score)).collect();
    let written = popularity::write(tx, &scores).await?;
    if written.is_empty() {
        return Ok(());
    }
    let changes = popularity::lock(tx, &written).await?;
    let significant: Vec<ProductId> = changes
        .iter()
        .filter(|change| is_significant(change.indexed, change.current))
        .map(|change| change.product_id)
        .collect();
    if !significant.is_empty() {
        popularity::apply(tx, &significant).await?;
        let indexer = indexer.clone();
        tx.after_commit(move || indexer.wake());
    }
    Ok(())
}
