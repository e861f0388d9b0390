//! Replaces the content of a product.

use messaging::Transaction;
use runtime::clock;

use super::write_products::{WriteProductsError, new_change, write_product};
use crate::{
    domain::{Change, Content, Product, ProductWrite, StoredVersion},
    storage::{changes, document},
};

pub(crate) struct ReplaceProductCommand {
    /// Locked by the transaction.
    pub(crate) current: Product,
    pub(crate) content: Content,
}

/// Replaces the content. Equal content creates no version: the change then refers to the current version, and
/// is complete when every service has applied that one.
pub(crate) async fn replace_product(
    tx: &mut Transaction,
    command: ReplaceProductCommand,
) -> Result<(Product, Change), WriteProductsError> {
    let ReplaceProductCommand { current, content } = command;
    let now = clock::now();
    let content = content.without_ended_sales(now);
    if document::encode(&content) == document::encode(&current.content) {
        let change = new_change(&current, now);
        changes::insert(tx, &[change], None).await?;
        return Ok((current, change));
    }
    let Product { id, version, created_at, updated_at, .. } = current;
    let skus = current.content.skus().cloned().collect();
    let stored = StoredVersion { version, created_at, updated_at, skus: &skus };
    let write = ProductWrite::replace(id, &stored, content, now);
    write_product(tx, write, now).await
}
