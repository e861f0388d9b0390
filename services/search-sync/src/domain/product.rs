//! Products as the search index needs them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vocabulary::{Localized, Money, ProductId, Sku, Version};

/// A product in a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// Which product.
    pub product_id: ProductId,
    /// In which version.
    pub version: Version,
    /// Whether it is for sale.
    pub state: State,
    /// What can be searched of it; `None` for a deleted product.
    pub content: Option<Content>,
}

impl Listing {
    /// A product that is gone.
    pub const fn deleted(product_id: ProductId, version: Version) -> Self {
        Self { product_id, version, state: State::Deleted, content: None }
    }

    /// The SKUs that it lists.
    pub fn skus(&self) -> impl Iterator<Item = &Sku> {
        self.content.iter().flat_map(|content| content.variants.iter().map(|variant| &variant.sku))
    }
}

/// Whether a product is for sale. Only active ones are in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not yet.
    Draft,
    /// Yes.
    Active,
    /// No longer.
    Archived,
    /// Gone for good.
    Deleted,
}

impl State {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Archived => "archived",
            Self::Deleted => "deleted",
        }
    }
}

/// What can be searched, filtered and shown of a product. It is stored as JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// Its name.
    pub title: Localized,
    /// What is said about it.
    #[serde(default)]
    pub description: Localized,
    /// Who makes it.
    #[serde(default)]
    pub brand: Option<String>,
    /// Where it stands in the shop: `数码/电脑外设/机械键盘`.
    #[serde(default)]
    pub category: String,
    /// Facts about it.
    #[serde(default)]
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// What of it can be bought.
    #[serde(default)]
    pub variants: Vec<Variant>,
}

/// One thing that can be bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// Its name in orders and in stock.
    pub sku: Sku,
    /// What one piece costs.
    pub price: Money,
}

/// Of several versions of a product the newest, for each of the products, sorted by product.
pub fn newest(listings: impl IntoIterator<Item = Listing>) -> Vec<Listing> {
    let mut newest: BTreeMap<ProductId, Listing> = BTreeMap::new();
    for listing in listings {
        match newest.get(&listing.product_id) {
            Some(held) if held.version >= listing.version => {}
            Some(_) | None => {
                newest.insert(listing.product_id, listing);
            }
        }
    }
    newest.into_values().collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use vocabulary::{ProductId, Version};

    use super::{Listing, newest};

    #[test]
    fn of_several_versions_the_newest_counts_wherever_it_stands() {
        let id = |n: u128| ProductId::from(Uuid::from_u128(n));
        let gone = |n, version| Listing::deleted(id(n), Version::try_from(version).unwrap());
        let kept = newest([gone(2, 1), gone(1, 3), gone(1, 2), gone(2, 5)]);
        assert_eq!(kept, [gone(1, 3), gone(2, 5)]);
    }
}
