//! Products, and the writes that create their versions.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use vocabulary::{ProductId, Sku, Version};

use super::{Content, Offer, ProductStatus, Variant};

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

    /// The version after that of `stored`.
    pub(crate) fn replace(
        id: ProductId,
        stored: &StoredVersion<'_>,
        content: Content,
        now: DateTime<Utc>,
    ) -> Self {
        let StoredVersion { version, created_at, updated_at, skus } = *stored;
        let kept: BTreeSet<&Sku> = content.skus().collect();
        let freed = skus.iter().filter(|sku| !kept.contains(sku)).cloned().collect();
        let claimed = content.skus().filter(|sku| !skus.contains(sku)).cloned().collect();
        // A clock that went back must not make an update older than the version before: a sale that has
        // started would start again.
        let updated_at = now.max(updated_at);
        let product = Product { id, version: version.next(), content, created_at, updated_at };
        Self { product, freed, claimed }
    }
}

/// What a new version needs of the version before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredVersion<'a> {
    pub(crate) version: Version,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    pub(crate) skus: &'a BTreeSet<Sku>,
}

impl Product {
    /// The version in which sales have started or ended at `now`.
    pub(crate) fn with_due_prices(self, now: DateTime<Utc>) -> ProductWrite {
        let Self { id, version, content, created_at, updated_at } = self;
        let skus = content.skus().cloned().collect();
        let stored = StoredVersion { version, created_at, updated_at, skus: &skus };
        ProductWrite::replace(id, &stored, content.without_ended_sales(now), now)
    }

    /// When the price of a variant changes next without a write.
    pub(crate) fn next_price_change(&self) -> Option<DateTime<Utc>> {
        self.content.next_price_change(self.updated_at)
    }

    /// What buyers see of a variant's price. Like the content, it changes with the version only.
    pub(crate) fn offer(&self, variant: &Variant) -> Offer {
        variant.offer(self.updated_at)
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
