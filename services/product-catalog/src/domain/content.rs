//! The validated content of a product.

use std::collections::BTreeMap;

use vocabulary::{Localized, Money, Sku};

use super::Attribute;

/// The part of a product that clients write. It comes from [`Draft::validate`](super::Draft::validate) or
/// from the database.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Content {
    pub(crate) title: Localized,
    pub(crate) description: Localized,
    pub(crate) brand: Option<String>,
    pub(crate) category: String,
    pub(crate) attributes: BTreeMap<String, Attribute>,
    pub(crate) images: Vec<String>,
    pub(crate) status: ProductStatus,
    pub(crate) variants: Vec<Variant>,
}

impl Content {
    /// The SKUs, in the order of the variants.
    pub(crate) fn skus(&self) -> impl Iterator<Item = &Sku> {
        self.variants.iter().map(|variant| &variant.sku)
    }
}

/// Whether a product is for sale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ProductStatus {
    /// Not yet for sale.
    Draft,
    #[default]
    Active,
    /// No longer for sale.
    Archived,
}

impl ProductStatus {
    /// The value in files and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Archived => "archived",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Draft, Self::Active, Self::Archived].into_iter().find(|one| one.as_str() == text)
    }
}

/// One sellable form of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variant {
    /// Unique in the whole catalogue.
    pub(crate) sku: Sku,
    /// The differences to the other variants, such as `颜色: 红`.
    pub(crate) options: BTreeMap<String, String>,
    /// The price of one piece.
    pub(crate) price: Money,
    /// An EAN or UPC: 8 to 14 digits.
    pub(crate) barcode: Option<String>,
}
