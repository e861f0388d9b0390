//! Updates the copy of prices and titles from product-catalog, under a version guard.

use std::collections::{HashMap, HashSet};

use envelope::trace::TraceContext;
use messaging::{Error, Transaction};
use runtime::{clock, product_receipts::products_applied};
use vocabulary::{ProductId, Sku, Version};

use crate::{domain::Offer, names::SERVICE, storage::offers};

/// The full state of a product.
pub(crate) struct UpdateOffersCommand {
    pub(crate) product: ProductId,
    pub(crate) version: Version,
    /// Whether the product is for sale.
    pub(crate) for_sale: bool,
    pub(crate) offers: Vec<(Sku, Offer)>,
}

/// Applies the newest version of each product, and returns those that advanced. `cause` is the trace of the first event of
/// the batch.
pub(crate) async fn update_offers(
    tx: &mut Transaction,
    cause: Option<TraceContext>,
    commands: &[UpdateOffersCommand],
) -> Result<HashSet<(ProductId, Version)>, Error> {
    let mut newest: HashMap<ProductId, &UpdateOffersCommand> = HashMap::new();
    for command in commands {
        let kept = newest.entry(command.product).or_insert(command);
        if kept.version < command.version {
            *kept = command;
        }
    }
    let versions = newest.iter().map(|(product, command)| (*product, command.version)).collect();
    let advanced = advance_versions(tx, &versions).await?;
    let is_newer: HashSet<ProductId> = advanced.iter().copied().collect();
    let newer = newest.into_values().filter(|command| is_newer.contains(&command.product));
    let listed: Vec<(&Sku, &Offer, bool)> = newer
        .flat_map(|command| {
            command.offers.iter().map(|(sku, offer)| (sku, offer, command.for_sale))
        })
        .collect();
    offers::withdraw_unlisted(tx, &advanced, &listed).await?;
    offers::upsert(tx, &listed).await?;
    let advanced = with_versions(&advanced, &versions);
    emit_product_applied(tx, cause, versions)?;
    Ok(advanced)
}

/// The products that advanced, with their versions.
pub(super) fn with_versions(
    advanced: &[ProductId],
    versions: &HashMap<ProductId, Version>,
) -> HashSet<(ProductId, Version)> {
    let version = |product: &ProductId| Some((*product, *versions.get(product)?));
    advanced.iter().filter_map(version).collect()
}

/// Advances the copy to these versions, and returns the products that advanced.
pub(super) async fn advance_versions(
    tx: &mut Transaction,
    newest: &HashMap<ProductId, Version>,
) -> Result<Vec<ProductId>, sqlx::Error> {
    let versions: Vec<(ProductId, Version)> =
        newest.iter().map(|(product, version)| (*product, *version)).collect();
    let advanced = offers::advance_versions(tx, &versions).await?;
    let skipped = u64::try_from(versions.len() - advanced.len()).unwrap_or_default();
    metrics::counter!("product_versions_skipped_total").increment(skipped);
    Ok(advanced)
}

/// Emits the receipts for a batch.
pub(super) fn emit_product_applied(
    tx: &mut Transaction,
    cause: Option<TraceContext>,
    newest: HashMap<ProductId, Version>,
) -> Result<(), Error> {
    for receipt in products_applied(&SERVICE, newest, clock::now()) {
        tx.emit_caused_by(cause, &receipt)?;
    }
    Ok(())
}
