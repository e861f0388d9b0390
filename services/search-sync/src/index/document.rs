//! The documents of the index.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vocabulary::Currency;

use crate::domain::AttributeValue;

/// The maximum depth of a category.
pub(crate) const LEVELS_MAX: usize = 12;
/// The maximum length of a category name, in characters.
const LEVEL_NAME_MAX: usize = 120;

/// A text in Chinese, in English, or in both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Localized {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zh: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
}

impl Localized {
    /// The available languages, Chinese first.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        [self.zh.as_deref(), self.en.as_deref()].into_iter().flatten()
    }
}

/// An amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Minor units: 12900 is 129.00.
    pub amount: i64,
    pub currency: Currency,
}

/// The value of one attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// One or several texts: 黑色; or 蓝牙, 2.4G, 有线.
    Words(Vec<String>),
    Number(f64),
    /// Used by filters and facets, but not matched by queries.
    Flag(bool),
}

impl Attribute {
    /// Flattens lists; `None` for a list without values.
    pub fn from_value(value: &AttributeValue) -> Option<Self> {
        match value {
            AttributeValue::Text(text) => Some(Self::Words(vec![text.clone()])),
            AttributeValue::Number(number) => Some(Self::Number(*number)),
            AttributeValue::Flag(flag) => Some(Self::Flag(*flag)),
            AttributeValue::List(items) => {
                let words: Vec<String> = items
                    .iter()
                    .filter_map(Self::from_value)
                    .flat_map(|item| item.values())
                    .collect();
                (!words.is_empty()).then_some(Self::Words(words))
            }
        }
    }

    /// The values for filters and facets.
    pub(crate) fn values(&self) -> Vec<String> {
        match self {
            Self::Words(words) => words.clone(),
            Self::Number(number) => vec![number.to_string()],
            Self::Flag(flag) => vec![flag.to_string()],
        }
    }
}

/// One value of an option of a variant, such as 颜色: 红. Queries, filters and facets treat it as an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantOption {
    pub name: String,
    pub value: String,
    /// Whether the variant is available.
    pub in_stock: bool,
}

/// A product as the index stores it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// A `UUIDv7`: its timestamp is the creation time that `Sort::Newest` uses.
    pub product_id: Uuid,
    /// The product version of the catalogue.
    pub version: i64,
    /// Searched with the highest weight.
    pub title: Localized,
    /// Searched with a low weight.
    pub description: Localized,
    /// Empty for a product without a brand.
    pub brand: String,
    /// The category path, `数码/键盘/机械键盘`; empty for a product without a category.
    pub category: String,
    /// The attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// The SKUs of the variants.
    pub skus: Vec<String>,
    /// The EANs or UPCs of the variants.
    pub barcodes: Vec<String>,
    /// The options of all variants.
    pub options: Vec<VariantOption>,
    /// The prices of the available variants; of all, if none is available. The currency of the first is the
    /// product's own.
    pub prices: Vec<Price>,
    /// Whether any variant is available.
    pub in_stock: bool,
    /// A score from 0 up, on any scale; ranking uses its logarithm.
    pub popularity: f64,
}

impl Document {
    /// The category and its ancestors: `a`, `a/b`, `a/b/c`, bounded in depth and length.
    pub(crate) fn category_levels(&self) -> Vec<String> {
        let mut levels: Vec<String> = Vec::new();
        let names = self.category.split('/').map(str::trim).filter(|name| !name.is_empty());
        for name in names.take(LEVELS_MAX) {
            let name: String = name.chars().take(LEVEL_NAME_MAX).collect();
            let level =
                levels.last().map_or_else(|| name.clone(), |parent| format!("{parent}/{name}"));
            levels.push(level);
        }
        levels
    }
}

/// The lowest and the highest price in one currency, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PriceBounds {
    currency: Currency,
    min: i64,
    max: i64,
}

impl PriceBounds {
    /// One for each currency, in the order of their first prices.
    fn of(prices: &[Price]) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for Price { amount, currency } in prices.iter().copied() {
            match found.iter_mut().find(|known| known.currency == currency) {
                Some(known) => {
                    known.min = known.min.min(amount);
                    known.max = known.max.max(amount);
                }
                None => found.push(Self { currency, min: amount, max: amount }),
            }
        }
        found
    }

    pub(crate) fn lowest(self) -> Price {
        Price { amount: self.min, currency: self.currency }
    }

    pub(crate) fn highest(self) -> Price {
        Price { amount: self.max, currency: self.currency }
    }
}

/// The part of a document that a hit shows, stored in the index as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredHit {
    pub(crate) product_id: Uuid,
    pub(crate) version: i64,
    pub(crate) title: Localized,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) brand: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) category: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) prices: Vec<PriceBounds>,
    pub(crate) in_stock: bool,
}

impl StoredHit {
    /// The prices in a currency. In its own currency, if the product has no price in this one.
    pub(crate) fn prices_in(&self, currency: Currency) -> Option<PriceBounds> {
        let wanted = self.prices.iter().find(|bounds| bounds.currency == currency);
        wanted.or(self.prices.first()).copied()
    }
}

impl From<&Document> for StoredHit {
    fn from(document: &Document) -> Self {
        Self {
            product_id: document.product_id,
            version: document.version,
            title: document.title.clone(),
            brand: document.brand.clone(),
            category: document.category.clone(),
            prices: PriceBounds::of(&document.prices),
            in_stock: document.in_stock,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Attribute, Document};
    use crate::domain::AttributeValue::{Flag, List, Number, Text};

    #[test]
    fn lists_are_flattened_to_words() {
        let attribute = |value| Attribute::from_value(&value);
        let text = || Text("x".to_owned());
        assert_eq!(attribute(text()), Some(Attribute::Words(vec!["x".to_owned()])));
        assert_eq!(attribute(Number(87.0)).map(|a| a.values()), Some(vec!["87".to_owned()]));
        let list = attribute(List(vec![text(), Number(2.4)]));
        assert_eq!(list.map(|a| a.values()), Some(vec!["x".to_owned(), "2.4".to_owned()]));
        assert_eq!(attribute(Flag(true)), Some(Attribute::Flag(true)));
        assert_eq!(attribute(List(Vec::new())), None);
    }

    #[test]
    fn a_category_has_all_its_ancestors() {
        let document =
            Document { category: "数码/ 键盘 //机械".to_owned(), ..Document::default() };
        assert_eq!(document.category_levels(), ["数码", "数码/键盘", "数码/键盘/机械"]);
    }
}
