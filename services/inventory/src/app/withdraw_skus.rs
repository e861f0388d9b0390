//! Withdraws the SKUs of deleted products. Their stock stays.

use std::collections::BTreeMap;

use messaging::Transaction;
use runtime::clock;
use vocabulary::{ProductId, Version};

use crate::storage::products;

/// Withdraws the SKUs of `products`, unless a later version of a product is known.
pub(crate) async fn withdraw_skus(
    tx: &mut Transaction,
    mut products: Vec<(ProductId, Version)>,
) -> Result<(), sqlx::Error> {
    products.sort();
    // The newest version of a product replaces the others.
    let newest: Vec<(ProductId, Version)> =
        products.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect();
    let updated = products::upsert_newer(tx, &newest, true).await?;
    products::replace_skus(tx, &updated, &[], clock::now()).await
}
