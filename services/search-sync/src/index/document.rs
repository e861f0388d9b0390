//! What is put into the index.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How deep a category may lie.
const LEVELS_MAX: usize = 12;
/// How long the name of one level may be, in characters.
const LEVEL_NAME_MAX: usize = 120;

/// A text in the languages of the catalogue; either may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Localized {
    /// Chinese.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zh: Option<String>,
    /// English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
}

impl Localized {
    /// The languages that are there, Chinese first.
    pub fn each(&self) -> impl Iterator<Item = &str> {
        [self.zh.as_deref(), self.en.as_deref()].into_iter().flatten()
    }
}

/// An amount of money in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Minor units: 12900 is 129.00.
    pub amount: i64,
    /// ISO 4217, e.g. `CNY`.
    pub currency: String,
}

/// The value of one attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// One or several words: 黑色; or 蓝牙, 2.4G, 有线.
    Words(Vec<String>),
    /// A number: 87.
    Number(f64),
    /// Yes or no: filtered and counted by, but without a word to match.
    Flag(bool),
}

impl Attribute {
    /// The attribute that a JSON value means; `None` for null, objects and lists without a text or number in them.
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        use serde_json::Value;
        match value {
            Value::String(text) => Some(Self::Words(vec![text.clone()])),
            Value::Number(number) => number.as_f64().map(Self::Number),
            Value::Bool(flag) => Some(Self::Flag(*flag)),
            Value::Array(items) => {
                let words: Vec<String> = items
                    .iter()
                    .filter_map(Self::from_json)
                    .flat_map(|item| item.values())
                    .collect();
                (!words.is_empty()).then_some(Self::Words(words))
            }
            Value::Null | Value::Object(_) => None,
        }
    }

    /// The values as they are counted and filtered by.
    pub fn values(&self) -> Vec<String> {
        match self {
            Self::Words(words) => words.clone(),
            Self::Number(number) => vec![number.to_string()],
            Self::Flag(flag) => vec![flag.to_string()],
        }
    }
}

/// A product as the index sees it: what is matched, filtered, counted, sorted by and shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// Which product. Version 7 ids carry the time of creation, which is what "newest" sorts by.
    pub product_id: Uuid,
    /// The catalogue's version of it.
    pub version: i64,
    /// The title, matched with the highest weight.
    pub title: Localized,
    /// The description, matched with a low weight.
    pub description: Localized,
    /// The brand; empty where there is none.
    pub brand: String,
    /// The path of the category, `数码/键盘/机械键盘`; empty where there is none.
    pub category: String,
    /// The attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// The article numbers of the variants.
    pub skus: Vec<String>,
    /// The lowest price of the variants.
    pub price_min: Option<Price>,
    /// The highest price of the variants.
    pub price_max: Option<Price>,
    /// Whether any variant can be had.
    pub in_stock: bool,
    /// How sought-after it is, any scale from 0 up; works by its logarithm.
    pub popularity: f64,
}

impl Document {
    /// The category and all above it: `a`, `a/b`, `a/b/c`; names and depth within what anybody would use.
    pub(super) fn category_levels(&self) -> Vec<String> {
        let mut levels: Vec<String> = Vec::new();
        let names = self.category.split('/').map(str::trim).filter(|name| !name.is_empty());
        for name in names.take(LEVELS_MAX) {
            let name: String = name.chars().take(LEVEL_NAME_MAX).collect();
            let level =
                levels.last().map_or_else(|| name.clone(), |above| format!("{above}/{name}"));
            levels.push(level);
        }
        levels
    }
}

/// What is kept in the index of each document, to show a hit without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shown {
    pub(super) product_id: Uuid,
    pub(super) version: i64,
    pub(super) title: Localized,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) brand: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) category: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) price_min: Option<Price>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) price_max: Option<Price>,
    pub(super) in_stock: bool,
}

impl From<&Document> for Shown {
    fn from(document: &Document) -> Self {
        Self {
            product_id: document.product_id,
            version: document.version,
            title: document.title.clone(),
            brand: document.brand.clone(),
            category: document.category.clone(),
            price_min: document.price_min.clone(),
            price_max: document.price_max.clone(),
            in_stock: document.in_stock,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_json() {
        let json =
            serde_json::json!({"a": "x", "b": 87, "c": ["y", 2.4], "d": true, "e": null, "f": {}});
        let of = |key: &str| Attribute::from_json(&json[key]);
        assert_eq!(of("a"), Some(Attribute::Words(vec!["x".to_owned()])));
        assert_eq!(of("b").map(|a| a.values()), Some(vec!["87".to_owned()]));
        assert_eq!(of("c").map(|a| a.values()), Some(vec!["y".to_owned(), "2.4".to_owned()]));
        assert_eq!(of("d"), Some(Attribute::Flag(true)));
        assert_eq!((of("e"), of("f")), (None, None));
    }

    #[test]
    fn levels_of_a_category() {
        let document =
            Document { category: "数码/ 键盘 //机械".to_owned(), ..Document::default() };
        assert_eq!(document.category_levels(), ["数码", "数码/键盘", "数码/键盘/机械"]);
    }
}
