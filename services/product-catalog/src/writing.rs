//! Writing products: the rows, the change that can be followed, and the event, in one transaction.

use chrono::{DateTime, Utc};
use contracts::Priority;
use messaging::Transaction;
use vocabulary::{ChangeId, ImportId};

use crate::domain::{Change, Content, Product, Write};
use crate::publishes::{product_changed, product_deleted};
use crate::storage::products::WriteError;
use crate::storage::{changes, products};

/// Why products were not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WritingError {
    #[error("the products could not be stored")]
    Storage(#[from] WriteError),
    #[error("the events could not be said")]
    Messaging(#[from] messaging::Error),
}

impl From<sqlx::Error> for WritingError {
    fn from(error: sqlx::Error) -> Self {
        Self::Storage(error.into())
    }
}

/// Writes new versions, and says so; answers their changes, in the same order.
pub(crate) async fn write(
    tx: &mut Transaction,
    writes: &[Write],
    import: Option<ImportId>,
    now: DateTime<Utc>,
) -> Result<Vec<Change>, WritingError> {
    products::write(tx, writes).await?;
    let made: Vec<Change> = writes.iter().map(|write| change_of(&write.product, now)).collect();
    changes::insert(tx, &made, import).await?;
    // Nobody waits for the one product in an import; edits by hand may overtake it.
    if import.is_some() {
        tx.prioritise(Priority::Bulk);
    }
    for (Write { product, .. }, change) in writes.iter().zip(&made) {
        tx.emit(&product_changed(product, change.id))?;
    }
    Ok(made)
}

/// Gives a product that the transaction has locked new content. Where that changes nothing there is no new version; the
/// change then stands for the version that is there, and is complete as soon as that one has been applied everywhere.
pub(crate) async fn replace(
    tx: &mut Transaction,
    current: Product,
    content: Content,
    now: DateTime<Utc>,
) -> Result<(Product, Change), WritingError> {
    if content.document() == current.content.document() {
        let change = change_of(&current, now);
        changes::insert(tx, &[change], None).await?;
        return Ok((current, change));
    }
    let Product { id, version, created_at, .. } = current;
    let skus = current.content.skus().cloned().collect();
    let write = Write::replace(id, version, created_at, &skus, content, now);
    write_one(tx, write, now).await
}

/// Writes one new version.
pub(crate) async fn write_one(
    tx: &mut Transaction,
    write: Write,
    now: DateTime<Utc>,
) -> Result<(Product, Change), WritingError> {
    let change = change_of(&write.product, now);
    products::write(tx, std::slice::from_ref(&write)).await?;
    changes::insert(tx, &[change], None).await?;
    tx.emit(&product_changed(&write.product, change.id))?;
    Ok((write.product, change))
}

/// Deletes a product that the transaction has locked.
pub(crate) async fn delete(
    tx: &mut Transaction,
    current: &Product,
    now: DateTime<Utc>,
) -> Result<Change, WritingError> {
    let version = current.version.next();
    let change = Change { version, ..change_of(current, now) };
    products::delete(tx, current.id, version, now).await?;
    changes::insert(tx, &[change], None).await?;
    tx.emit(&product_deleted(&change))?;
    Ok(change)
}

fn change_of(product: &Product, now: DateTime<Utc>) -> Change {
    let (product_id, version) = (product.id, product.version);
    Change { id: ChangeId::new(), product_id, version, made_at: now }
}
