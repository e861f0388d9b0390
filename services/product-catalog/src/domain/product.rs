//! Products, and the writes that create their versions.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use vocabulary::{ProductId, Sku, Version};

use super::{Content, ProductStatus};

/// A product of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Product {
    pub(crate) id: ProductId,
    pub(crate) version: Version,
    pub(crate) content: Content,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

/// A new version of a product, with the SKUs that it frees and claims.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ProductWrite {
    pub(crate) product: Product,
    pub(crate) freed: Vec<Sku>,
    pub(crate) claimed: Vec<Sku>,
}

impl ProductWrite {
    /// The first version of a new product.
    pub(crate) fn create(content: Content, now: DateTime<Utc>) -> Self {
        let claimed = content.skus().cloned().collect();
        let (id, version) = (ProductId::new(), Version::FIRST);
        let product = Product { id, version, content, created_at: now, updated_at: now };
        Self { product, freed: Vec::new(), claimed }
    }

    /// The version after `version` of a product that owns `skus`.
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
        // A clock that went back must not make an update older than its product.
        let updated_at = now.max(created_at);
        let product = Product { id, version: version.next(), content, created_at, updated_at };
        Self { product, freed, claimed }
    }
}

/// The products to list; an absent field does not filter.
#[derive(Debug, Default)]
pub(crate) struct ProductFilter {
    /// This category and all below it.
    pub(crate) category: Option<String>,
    pub(crate) brand: Option<String>,
    pub(crate) status: Option<ProductStatus>,
    pub(crate) sku: Option<String>,
    /// Updated at this time or later.
    pub(crate) updated_since: Option<DateTime<Utc>>,
    /// Only products with a larger id.
    pub(crate) after: Option<ProductId>,
}

/// A product with the sequence number of its last event, read at one moment.
pub(crate) struct SequencedProduct {
    /// For a deleted product: its last content, with the version of its deletion.
    pub(crate) product: Product,
    pub(crate) deleted_at: Option<DateTime<Utc>>,
    pub(crate) sequence: i64,
}
