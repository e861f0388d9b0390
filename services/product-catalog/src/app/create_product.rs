//! Creates a product.

use messaging::Transaction;
use runtime::clock;

use super::write_products::{WriteProductsError, write_product};
use crate::domain::{Change, Content, Product, ProductWrite};

pub(crate) struct CreateProductCommand {
    pub(crate) content: Content,
}

/// Creates the product in its first version.
pub(crate) async fn create_product(
    tx: &mut Transaction,
    command: CreateProductCommand,
) -> Result<(Product, Change), WriteProductsError> {
    let now = clock::now();
    let content = command.content.without_ended_sales(now);
    write_product(tx, ProductWrite::create(content, now), now).await
}
