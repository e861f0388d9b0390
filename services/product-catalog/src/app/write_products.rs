//! Writes versions of products with their changes and events, in one transaction.

use chrono::{DateTime, Utc};
use envelope::Priority;
use messaging::Transaction;
use vocabulary::{ChangeId, ImportId};

use crate::{
    domain::{Change, Product, ProductWrite},
    publishes::product_changed,
    storage::{
        changes,
        products::{self, WriteError},
    },
};

/// Why products were not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteProductsError {
    #[error("the products could not be stored")]
    Storage(#[from] WriteError),
    #[error("the events could not be emitted")]
    Messaging(#[from] messaging::Error),
}

impl From<sqlx::Error> for WriteProductsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// Writes new versions, and returns their changes in the same order.
pub(super) async fn write_products(
    tx: &mut Transaction,
    writes: &[ProductWrite],
    import: Option<ImportId>,
    now: DateTime<Utc>,
) -> Result<Vec<Change>, WriteProductsError> {
    products::write(tx, writes).await?;
    let changes: Vec<Change> = writes.iter().map(|write| new_change(&write.product, now)).collect();
    changes::insert(tx, &changes, import).await?;
    // Edits of single products may overtake an import.
    if import.is_some() {
        tx.set_priority(Priority::Bulk);
    }
    for (ProductWrite { product, .. }, change) in writes.iter().zip(&changes) {
        tx.emit(&product_changed(product, change.id))?;
    }
    Ok(changes)
}

/// Writes one new version.
pub(super) async fn write_product(
    tx: &mut Transaction,
    write: ProductWrite,
    now: DateTime<Utc>,
) -> Result<(Product, Change), WriteProductsError> {
    let change = new_change(&write.product, now);
    products::write(tx, std::slice::from_ref(&write)).await?;
    changes::insert(tx, &[change], None).await?;
    tx.emit(&product_changed(&write.product, change.id))?;
    Ok((write.product, change))
}

/// A change that leads to `product`.
pub(super) fn new_change(product: &Product, now: DateTime<Utc>) -> Change {
    let (product_id, version) = (product.id, product.version);
    Change { id: ChangeId::new(), product_id, version, made_at: now }
}
