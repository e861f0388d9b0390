//! What both events of a product come to: documents under their version guard, and receipts that are due.

use messaging::{Batch, Failure, Transaction};

use crate::{
    domain::{Listing, newest},
    storage::{
        documents::{self, WriteError},
        receipts::{self, Due},
    },
    tail::Wake,
};

/// Writes the newest of each product and wakes the tail. Every version is due a receipt, those that were skipped for a newer
/// one too: the newer one settles them.
pub(super) async fn project<E: Send + Sync>(
    tx: &mut Transaction,
    batch: &Batch<E>,
    wake: &Wake,
    listing: impl Fn(&E) -> Listing + Send,
) -> Result<(), Failure> {
    let delivered = batch.delivered();
    let listings: Vec<Listing> = delivered.iter().map(|one| listing(&one.event)).collect();
    let due: Vec<Due> = delivered
        .iter()
        .zip(&listings)
        .map(|(one, listing)| Due {
            product_id: listing.product_id,
            version: listing.version,
            traceparent: one.cause.map(|cause| cause.to_string()),
        })
        .collect();
    let written = documents::write(tx, &newest(listings)).await.map_err(failure)?;
    receipts::note(tx, &due).await?;
    let skipped = due.len().saturating_sub(written.len());
    let wake = wake.clone();
    tx.after_commit(move || {
        wake.wake();
        metrics::counter!("search_products_skipped_total")
            .increment(u64::try_from(skipped).unwrap_or_default());
    });
    Ok(())
}

fn failure(error: WriteError) -> Failure {
    match error {
        WriteError::Encode(error) => Failure::reject("unencodable", error),
        WriteError::Database(error) => error.into(),
    }
}
