//! The projection: the newest version of each product, which the indexes follow by change number.

use std::collections::BTreeSet;

use uuid::Uuid;
use vocabulary::{ProductId, Sku, Version};

use super::product::{ProductContent, ProductStatus};

/// The counter that numbers the changes of the projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeCounter {
    /// Identifies the database.
    pub source: Uuid,
    /// The number of the last change.
    pub last: i64,
}

/// A product of the projection.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectedProduct {
    pub product_id: ProductId,
    pub version: i64,
    pub status: ProductStatus,
    /// `None` for a deleted product, and where the stored content could not be decoded.
    pub content: Option<ProductContent>,
    /// Whether any variant is available.
    pub in_stock: bool,
    /// The SKUs of the available variants.
    pub available: BTreeSet<Sku>,
    pub popularity: f64,
}

/// The version of a product in the projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProjectedVersion {
    pub product_id: ProductId,
    pub version: i64,
    /// Active products belong in the index.
    pub active: bool,
    pub deleted: bool,
    /// Whether it was stored without fields that products have today.
    pub outdated: bool,
    /// The number of its last change.
    pub change: i64,
}

/// A receipt that is published once the index contains the version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingReceipt {
    pub product_id: ProductId,
    pub version: Version,
    /// The trace of the event that contained the version.
    pub traceparent: Option<String>,
}
