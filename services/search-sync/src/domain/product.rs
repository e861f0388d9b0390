//! Products as the catalogue publishes them, reduced to what search needs.

use std::collections::BTreeMap;

use vocabulary::{Localized, Money, ProductId, Sku, Version};

/// One version of a product.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogProduct {
    pub product_id: ProductId,
    pub version: Version,
    pub status: ProductStatus,
    /// `None` for a deleted product.
    pub content: Option<ProductContent>,
}

impl CatalogProduct {
    pub const fn deleted(product_id: ProductId, version: Version) -> Self {
        Self { product_id, version, status: ProductStatus::Deleted, content: None }
    }

    /// The SKUs of its variants.
    pub fn skus(&self) -> impl Iterator<Item = &Sku> {
        self.content.iter().flat_map(|content| content.variants.iter().map(|variant| &variant.sku))
    }
}

/// The status of a product. The index contains active products only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProductStatus {
    Draft,
    Active,
    Archived,
    Deleted,
}

/// The searchable content of a product.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProductContent {
    pub title: Localized,
    pub description: Localized,
    pub brand: Option<String>,
    /// The category path: `数码/电脑外设/机械键盘`.
    pub category: String,
    /// The attributes by name.
    pub attributes: BTreeMap<String, AttributeValue>,
    pub variants: Vec<Variant>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    Text(String),
    Number(f64),
    Flag(bool),
    List(Vec<AttributeValue>),
}

/// A variant that shoppers can order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    pub sku: Sku,
    /// What distinguishes it from the others, such as `颜色: 红`.
    pub options: BTreeMap<String, String>,
    pub price: Money,
    /// EAN or UPC.
    pub barcode: Option<String>,
}

/// The newest version of each product, sorted by product.
pub(crate) fn newest_versions(
    products: impl IntoIterator<Item = CatalogProduct>,
) -> Vec<CatalogProduct> {
    let mut newest: BTreeMap<ProductId, CatalogProduct> = BTreeMap::new();
    for product in products {
        match newest.get(&product.product_id) {
            Some(known) if known.version >= product.version => {}
            Some(_) | None => {
                newest.insert(product.product_id, product);
            }
        }
    }
    newest.into_values().collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use vocabulary::{ProductId, Version};

    use super::{CatalogProduct, newest_versions};

    #[test]
    fn the_newest_version_wins_in_any_order() {
        let id = |n: u128| ProductId::from(Uuid::from_u128(n));
        let product =
            |n, version| CatalogProduct::deleted(id(n), Version::try_from(version).unwrap());
        let kept = newest_versions([product(2, 1), product(1, 3), product(1, 2), product(2, 5)]);
        assert_eq!(kept, [product(1, 3), product(2, 5)]);
    }
}
