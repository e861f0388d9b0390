//! What this service knows of products and their stock.

use std::sync::Arc;

use uuid::Uuid;
use vocabulary::{ProductId, Sku, Version};

/// Whether the catalogue offers a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProductStatus {
    Draft,
    Active,
    Archived,
}

/// A product as of one version of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CatalogProduct<'a> {
    pub(crate) product_id: ProductId,
    pub(crate) version: Version,
    /// The path of its category, as `a/b/c`.
    pub(crate) category: &'a str,
    pub(crate) status: ProductStatus,
    /// The SKUs of its variants.
    pub(crate) skus: Vec<&'a Sku>,
}

/// The stock of a SKU as of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SkuStock<'a> {
    pub(crate) sku: &'a Sku,
    pub(crate) version: Version,
    /// Pieces that can still be ordered.
    pub(crate) available: i64,
}

/// What the model needs to know of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProductInfo {
    pub(crate) id: Uuid,
    /// The path of its category, as `a/b/c`.
    pub(crate) category: Arc<str>,
    /// Whether at least one variant is in stock.
    pub(crate) in_stock: bool,
    /// Whether the shop shows it at all.
    pub(crate) active: bool,
}

/// The latest change of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProductChange {
    Updated(ProductInfo),
    Deleted(Uuid),
}
