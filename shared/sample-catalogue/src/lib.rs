#![doc = include_str!("../README.md")]

mod colours;
mod data;
mod generator;
mod kind;
mod stock;

use std::{collections::BTreeMap, io};

use serde::{Deserialize, Serialize};

use crate::generator::Generator;
pub use crate::stock::opening_stock;

/// How many products the suite's own sample catalogue has.
pub const DEFAULT_COUNT: usize = 1_500;

/// The seed of the suite's own sample catalogue.
pub const DEFAULT_SEED: u64 = 20_251_111;

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

/// An endless iterator over the products of the catalogue with this seed.
///
/// A longer catalogue starts with the shorter one of the same seed.
pub fn products(seed: u64) -> impl Iterator<Item = SampleProduct> {
    Generator::new(seed)
}

/// Writes products as NDJSON, one on each line, as `POST /v1/imports` reads them.
///
/// Fails only if the writer fails.
pub fn write_ndjson(
    writer: &mut impl io::Write,
    products: impl IntoIterator<Item = SampleProduct>,
) -> io::Result<()> {
    for product in products {
        serde_json::to_writer(&mut *writer, &product)?;
        writer.write_all(b"\n")?;
    }
    Ok(())
}

impl Bilingual {
    fn new(zh: &str, en: &str) -> Self {
        Self { zh: zh.to_owned(), en: en.to_owned() }
    }
}
