//! What a product is made of, known to be right.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vocabulary::{Localized, Money, Sku};

/// Everything about a product that people write. Made by [`Draft::check`](super::Draft::check), which knows the rules, and
/// read back from the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) title: Localized,
    pub(crate) description: Localized,
    pub(crate) brand: Option<String>,
    pub(crate) category: String,
    pub(crate) attributes: BTreeMap<String, Attribute>,
    pub(crate) images: Vec<String>,
    pub(crate) status: Status,
    pub(crate) variants: Vec<Variant>,
}

impl Content {
    /// The one form in which it is stored and compared.
    pub(crate) fn document(&self) -> String {
        // Maps with text for keys and numbers that came from JSON can always be written as JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The SKUs, in the order of the variants.
    pub(crate) fn skus(&self) -> impl Iterator<Item = &Sku> {
        self.variants.iter().map(|variant| &variant.sku)
    }
}

/// A fact about a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Attribute {
    Flag(bool),
    Number(serde_json::Number),
    Text(String),
    Texts(Vec<String>),
}

impl From<Attribute> for serde_json::Value {
    fn from(attribute: Attribute) -> Self {
        match attribute {
            Attribute::Flag(flag) => Self::Bool(flag),
            Attribute::Number(number) => Self::Number(number),
            Attribute::Text(text) => Self::String(text),
            Attribute::Texts(texts) => texts.into_iter().map(Self::String).collect(),
        }
    }
}

/// Whether a product is for sale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Not yet.
    Draft,
    /// Yes.
    #[default]
    Active,
    /// No longer.
    Archived,
}

impl Status {
    /// As it is written in JSON and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Archived => "archived",
        }
    }
}

/// One thing that can be bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Variant {
    /// Its name in orders and in stock; unique in the whole catalogue.
    pub(crate) sku: Sku,
    /// What sets it apart from the other variants, such as `颜色: 红`.
    #[serde(default)]
    pub(crate) options: BTreeMap<String, String>,
    /// What one piece costs.
    pub(crate) price: Money,
    /// Its EAN or UPC: 8 to 14 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) barcode: Option<String>,
}
