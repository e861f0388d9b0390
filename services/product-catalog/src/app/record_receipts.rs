//! Records receipts of downstream services, and wakes the watchers of their changes.

use messaging::Transaction;
use runtime::watchers::{KeyedWatcher, KeyedWatchers};
use vocabulary::ProductId;

use crate::{domain::NewReceipt, storage::receipts};

/// The requests that wait for the changes of a product.
pub(crate) type ChangeWatchers = KeyedWatchers<ProductId, ()>;

/// A request that waits for the changes of a product.
pub(crate) type ChangeWatcher = KeyedWatcher<ProductId, ()>;

/// The maximum number of waiting requests. Each also queries the database once a second.
const MAX_CHANGE_WATCHERS: usize = 1_000;

/// No watchers yet.
pub(crate) fn change_watchers() -> ChangeWatchers {
    ChangeWatchers::new(MAX_CHANGE_WATCHERS)
}

/// Inserts the receipts. The watchers are woken after the commit.
pub(crate) async fn record_receipts(
    tx: &mut Transaction,
    new: &[NewReceipt<'_>],
    watchers: &ChangeWatchers,
) -> Result<(), sqlx::Error> {
    receipts::insert(tx, new).await?;
    let products: Vec<ProductId> = new.iter().map(|receipt| receipt.product).collect();
    let watchers = watchers.clone();
    tx.after_commit(move || watchers.notify(products.iter().map(|product| (product, ()))));
    Ok(())
}
