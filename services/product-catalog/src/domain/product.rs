//! A product and what a write makes of it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use vocabulary::{ProductId, Sku, Version};

use super::content::Content;

/// A product of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Product {
    pub(crate) id: ProductId,
    pub(crate) version: Version,
    pub(crate) content: Content,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

/// A new version of a product, with what it takes from and adds to the SKUs in use.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Write {
    pub(crate) product: Product,
    pub(crate) freed: Vec<Sku>,
    pub(crate) claimed: Vec<Sku>,
}

impl Write {
    /// A product that was not there before.
    pub(crate) fn create(content: Content, now: DateTime<Utc>) -> Self {
        let claimed = content.skus().cloned().collect();
        let (id, version) = (ProductId::new(), Version::FIRST);
        let product = Product { id, version, content, created_at: now, updated_at: now };
        Self { product, freed: Vec::new(), claimed }
    }

    /// The next version of a product that has `skus`.
    pub(crate) fn replace(
        id: ProductId,
        version: Version,
        created_at: DateTime<Utc>,
        skus: &BTreeSet<Sku>,
        content: Content,
        now: DateTime<Utc>,
    ) -> Self {
        let kept: BTreeSet<&Sku> = content.skus().collect();
        let freed = skus.iter().filter(|sku| !kept.contains(sku)).cloned().collect();
        let claimed = content.skus().filter(|sku| !skus.contains(sku)).cloned().collect();
        // Versions of one product never go back in time, whatever the clock does.
        let updated_at = now.max(created_at);
        let product = Product { id, version: version.next(), content, created_at, updated_at };
        Self { product, freed, claimed }
    }
}
