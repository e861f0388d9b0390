//! Deletes a product.

use messaging::Transaction;
use runtime::clock;

use super::write_products::{WriteProductsError, new_change};
use crate::{
    domain::{Change, Product},
    publishes::product_deleted,
    storage::{changes, products},
};

pub(crate) struct DeleteProductCommand {
    /// Locked by the transaction.
    pub(crate) current: Product,
}

/// Deletes the product. The deletion is a version of its own.
pub(crate) async fn delete_product(
    tx: &mut Transaction,
    command: DeleteProductCommand,
) -> Result<Change, WriteProductsError> {
    let (current, now) = (command.current, clock::now());
    let version = current.version.next();
    let change = Change { version, ..new_change(&current, now) };
    products::delete(tx, current.id, version, now).await?;
    changes::insert(tx, &[change], None).await?;
    tx.emit(&product_deleted(&change))?;
    Ok(change)
}
