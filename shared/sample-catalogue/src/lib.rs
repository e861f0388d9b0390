#![doc = include_str!("../README.md")]

mod categories;
mod generator;
mod kind;
mod stock;

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use crate::generator::Generator;
use crate::kind::Text;
pub use crate::stock::opening_stock;

/// How many products the suite's own sample catalogue has.
pub const DEFAULT_COUNT: usize = 1_500;

/// The seed of the suite's own sample catalogue.
pub const DEFAULT_SEED: u64 = 20_251_111;

/// A product as `POST /v1/products` and `POST /v1/imports` take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SampleProduct {
    /// What the shop calls it.
    pub title: Bilingual,
    /// Two or three sentences about it.
    pub description: Bilingual,
    /// The brand, in Chinese where it has a Chinese name.
    pub brand: &'static str,
    /// The category path, three levels in Chinese, divided by `/`.
    pub category: &'static str,
    /// What can be filtered by: Chinese name to Chinese value with its unit.
    pub attributes: BTreeMap<&'static str, String>,
    /// Addresses of pictures; there are none.
    pub images: Vec<String>,
    /// Always `active`.
    pub status: &'static str,
    /// What is sold, one to six of them.
    pub variants: Vec<SampleVariant>,
}

/// The same text in Chinese and in English.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bilingual {
    /// Simplified Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// One thing that can be put into a cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SampleVariant {
    /// Unique in its catalogue: capitals, digits and dashes, at most 40 characters.
    pub sku: String,
    /// What tells it from the product's other variants: Chinese name to Chinese value.
    pub options: BTreeMap<&'static str, &'static str>,
    /// What it costs.
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

/// The products of the catalogue with this seed, without end.
///
/// A longer catalogue begins with the shorter one of the same seed.
pub fn products(seed: u64) -> impl Iterator<Item = SampleProduct> {
    Generator::new(seed)
}

/// Writes products as NDJSON, one on each line, as `POST /v1/imports` reads them.
///
/// Fails only where the writer does.
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

impl From<Text> for Bilingual {
    fn from(text: Text) -> Self {
        Self { zh: text.zh.to_owned(), en: text.en.to_owned() }
    }
}
