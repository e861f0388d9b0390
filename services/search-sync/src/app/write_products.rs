//! Writes products of the catalogue to the projection.

use std::collections::BTreeSet;

use messaging::Transaction;
use vocabulary::ProductId;

use super::IndexerWaker;
use crate::{
    domain::{CatalogProduct, PendingReceipt, newest_versions},
    storage::{
        documents::{self, WriteDocumentsError},
        receipts,
    },
};

/// A product version of an event.
#[derive(Debug)]
pub(crate) struct ReceivedProduct {
    pub(crate) product: CatalogProduct,
    /// Whether it is an edit and not part of an import.
    pub(crate) is_edit: bool,
    /// The trace of the event.
    pub(crate) traceparent: Option<String>,
}

/// Writes the newest version of each product, and wakes the indexer after the commit.
///
/// Every version gets a pending receipt, skipped ones included: the receipt of a newer version settles them.
pub(crate) async fn write_products(
    tx: &mut Transaction,
    received: Vec<ReceivedProduct>,
    indexer: &IndexerWaker,
) -> Result<(), WriteDocumentsError> {
    let edited = received.iter().filter(|received| received.is_edit);
    let edited: BTreeSet<ProductId> = edited.map(|received| received.product.product_id).collect();
    let (products, receipts): (Vec<CatalogProduct>, Vec<PendingReceipt>) = received
        .into_iter()
        .map(|ReceivedProduct { product, traceparent, .. }| {
            let CatalogProduct { product_id, version, .. } = product;
            (product, PendingReceipt { product_id, version, traceparent })
        })
        .unzip();
    let written = documents::write(tx, &newest_versions(products), &edited).await?;
    receipts::insert(tx, &receipts).await?;
    let skipped = receipts.len().saturating_sub(written.len());
    let indexer = indexer.clone();
    tx.after_commit(move || {
        indexer.wake();
        metrics::counter!("search_products_skipped_total")
            .increment(u64::try_from(skipped).unwrap_or_default());
    });
    Ok(())
}
