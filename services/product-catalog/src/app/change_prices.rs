//! Starts and ends sales: the prices that buyers see change without a write of a client.

use envelope::Priority;
use messaging::Transaction;
use runtime::clock;

use super::write_products::{WriteProductsError, write_products};
use crate::{
    domain::{Product, ProductWrite},
    storage::products,
};

/// The maximum number of products in a transaction.
const BATCH_SIZE: usize = 250;

/// Writes a new version of each product of which a sale has started or ended, at most [`BATCH_SIZE`]. Returns
/// their number.
///
/// The version is committed together with the time of the next change, so each start and each end makes one
/// version, however many processes run and whenever one is killed.
pub(crate) async fn change_prices(tx: &mut Transaction) -> Result<usize, WriteProductsError> {
    let now = clock::now();
    let limit = i64::try_from(BATCH_SIZE).unwrap_or(i64::MAX);
    let due: Vec<Product> = products::lock_due(tx, now, limit).await?;
    let writes: Vec<ProductWrite> =
        due.into_iter().map(|product| product.with_due_prices(now)).collect();
    // Edits of single products may overtake a sale of a large part of the catalogue.
    if writes.len() == BATCH_SIZE {
        tx.set_priority(Priority::Bulk);
    }
    if !writes.is_empty() {
        write_products(tx, &writes, None, now).await?;
    }
    Ok(writes.len())
}
