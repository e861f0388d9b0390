//! Registers the SKUs of changed products.

use std::collections::{HashMap, HashSet};

use messaging::Transaction;
use runtime::clock;
use vocabulary::{ProductId, Sku, Version};

use crate::storage::products;

/// A product in a version, with the SKUs that it lists.
pub(crate) struct ListedProduct<'a> {
    pub(crate) product: ProductId,
    pub(crate) version: Version,
    pub(crate) skus: Vec<&'a Sku>,
}

/// Registers the SKUs of `products`, and returns how many of the versions were skipped because a later one is
/// known.
pub(crate) async fn register_skus(
    tx: &mut Transaction,
    mut products: Vec<ListedProduct<'_>>,
) -> Result<usize, sqlx::Error> {
    let received = products.len();
    // The newest version of a product replaces the others.
    products.sort_by_key(|listed| listed.version);
    let newest: HashMap<ProductId, ListedProduct<'_>> =
        products.into_iter().map(|listed| (listed.product, listed)).collect();
    let versions: Vec<(ProductId, Version)> =
        newest.values().map(|listed| (listed.product, listed.version)).collect();
    let updated = products::upsert_newer(tx, &versions, false).await?;
    let is_updated: HashSet<&ProductId> = updated.iter().collect();
    let listed: Vec<(ProductId, &Sku)> = newest
        .values()
        .filter(|listed| is_updated.contains(&listed.product))
        .flat_map(|listed| listed.skus.iter().map(|sku| (listed.product, *sku)))
        .collect();
    products::replace_skus(tx, &updated, &listed, clock::now()).await?;
    Ok(received.saturating_sub(updated.len()))
}
