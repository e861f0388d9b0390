//! Events of product-catalog, which update the copy of prices and titles under a version guard.

pub(crate) mod product_changed;
pub(crate) mod product_deleted;

use std::collections::HashMap;

use envelope::trace::TraceContext;
use messaging::{Error, Transaction};
use runtime::{
    clock,
    product_receipts::{product_applied, receipt_key},
};
use vocabulary::{ProductId, Version};

use crate::{names::SERVICE, storage::offers};

/// The newest version of each product of a batch.
type NewestVersions = HashMap<ProductId, Version>;

/// Advances the copy to these versions, and returns the products that advanced.
async fn advance_versions(
    tx: &mut Transaction,
    newest: &NewestVersions,
) -> Result<Vec<ProductId>, sqlx::Error> {
    let versions: Vec<(ProductId, Version)> =
        newest.iter().map(|(product, version)| (*product, *version)).collect();
    let advanced = offers::advance_versions(tx, &versions).await?;
    let skipped = u64::try_from(versions.len() - advanced.len()).unwrap_or_default();
    metrics::counter!("product_versions_skipped_total").increment(skipped);
    Ok(advanced)
}

/// Emits the receipt for a batch. All products of a batch have the same receipt key.
fn emit_product_applied(
    tx: &mut Transaction,
    cause: Option<TraceContext>,
    newest: NewestVersions,
) -> Result<(), Error> {
    let Some(product) = newest.keys().next() else { return Ok(()) };
    match product_applied(&SERVICE, receipt_key(*product), newest, clock::now()) {
        Some(receipt) => tx.emit_caused_by(cause, &receipt).map(drop),
        None => Ok(()),
    }
}
