//! What the catalogue says: the copy of prices and titles follows it, version by version.

pub(crate) mod changed;
pub(crate) mod deleted;

use std::collections::HashMap;

use contracts::{receipts::ProductVersion, trace::TraceContext};
use messaging::{Error, Transaction};
use runtime::clock;
use vocabulary::{ProductId, Version};

use crate::{publishes::product_applied, storage::offers};

/// The newest version of each product of a batch.
type Newest = HashMap<ProductId, Version>;

/// Raises the copy to these versions, and answers the products of which they are news.
async fn raise(tx: &mut Transaction, newest: &Newest) -> Result<Vec<ProductId>, sqlx::Error> {
    let versions: Vec<(ProductId, Version)> =
        newest.iter().map(|(product, version)| (*product, *version)).collect();
    let raised = offers::raise(tx, &versions).await?;
    let skipped = u64::try_from(versions.len() - raised.len()).unwrap_or_default();
    metrics::counter!("product_versions_skipped_total").increment(skipped);
    Ok(raised)
}

/// Says, in the same transaction, that the copy holds these versions or later ones.
fn say_applied(
    tx: &mut Transaction,
    cause: Option<TraceContext>,
    newest: Newest,
) -> Result<(), Error> {
    let applied =
        newest.into_iter().map(|(product_id, version)| ProductVersion { product_id, version });
    match product_applied(applied.collect(), clock::now()) {
        Some(receipt) => tx.emit_caused_by(cause, &receipt).map(drop),
        None => Ok(()),
    }
}
