//! Products as the import takes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A product as `POST /v1/products` and `POST /v1/imports` take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SampleProduct {
    pub title: Bilingual,
    /// Two or three sentences.
    pub description: Bilingual,
    /// The brand, in Chinese where it has a Chinese name.
    pub brand: &'static str,
    /// The category path: three levels in Chinese, separated by `/`.
    pub category: &'static str,
    /// The filterable attributes: Chinese name to Chinese value with its unit.
    pub attributes: BTreeMap<&'static str, String>,
    /// Always empty.
    pub images: Vec<String>,
    /// Always `active`.
    pub status: &'static str,
    /// One to six.
    pub variants: Vec<SampleVariant>,
}

/// The same text in Chinese and in English.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bilingual {
    /// Simplified Chinese.
    pub zh: String,
    pub en: String,
}

/// A variant of a product, as it is sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SampleVariant {
    /// Unique in its catalogue: upper-case letters, digits and dashes, at most 40 characters.
    pub sku: String,
    /// How it differs from the product's other variants: Chinese name to Chinese value.
    pub options: BTreeMap<&'static str, &'static str>,
    pub price: SamplePrice,
    /// EAN-13, beginning with 690, unique in its catalogue.
    pub barcode: String,
}

/// An amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SamplePrice {
    /// In fen, the hundredth of a yuan.
    pub amount: i64,
    /// Always `CNY`.
    pub currency: &'static str,
}

impl Bilingual {
    pub(crate) fn new(zh: &str, en: &str) -> Self {
        Self { zh: zh.to_owned(), en: en.to_owned() }
    }
}
