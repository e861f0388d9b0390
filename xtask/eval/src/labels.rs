//! The labelled queries of the project.

use std::path::{Path, PathBuf};

use sample_catalogue::SampleProduct;
use serde::Deserialize;
use xtask::workspace;

use crate::error::Error;

/// Which part of the queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Half {
    /// Looked at while the ranking is worked on.
    Tuning,
    /// Looked at to judge the result only.
    HeldBack,
}

/// How a query is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    Zh,
    En,
    Pinyin,
    /// Chinese or English with a typo.
    Typo,
}

/// A query and which products it is after. A product is relevant if it fulfils all that the label names.
#[derive(Debug, Clone, Deserialize)]
pub struct Label {
    pub query: String,
    /// What the query tries: `category`, `brand`, `attribute`, `spelling`, `typo`, or `unsold`.
    pub kind: String,
    pub language: Option<Language>,
    pub half: Half,
    /// Beginnings of category paths, separated by `;`.
    category: String,
    brand: String,
    /// A text that the title, an attribute or an option has.
    words: String,
}

impl Label {
    /// Whether the shop sells what the query is after.
    pub fn is_sold(&self) -> bool {
        self.kind != "unsold"
    }

    /// The first of its categories.
    pub fn first_category(&self) -> Option<&str> {
        self.category.split(';').next().filter(|path| !path.is_empty())
    }

    /// The brand that it names.
    pub fn brand(&self) -> Option<&str> {
        Some(self.brand.as_str()).filter(|brand| !brand.is_empty())
    }

    /// Whether the query names a category.
    pub fn names_category(&self) -> bool {
        !self.category.is_empty()
    }

    /// Whether the product is in the category that the query is after.
    pub fn is_in_category(&self, product: &SampleProduct) -> bool {
        self.category.split(';').any(|path| product.category.starts_with(path))
    }

    /// Whether the product is what the query is after.
    pub fn is_relevant(&self, product: &SampleProduct) -> bool {
        self.is_sold()
            && self.is_in_category(product)
            && (self.brand.is_empty() || self.brand == product.brand)
            && (self.words.is_empty() || has_words(product, &self.words.to_lowercase()))
    }
}

fn has_words(product: &SampleProduct, words: &str) -> bool {
    let titles = [product.title.zh.as_str(), product.title.en.as_str()];
    let attributes = product.attributes.values().map(String::as_str);
    let options = product.variants.iter().flat_map(|variant| variant.options.values().copied());
    let mut texts = titles.into_iter().chain(attributes).chain(options);
    texts.any(|text| text.to_lowercase().contains(words))
}

/// Where the labelled queries are.
pub fn path() -> PathBuf {
    workspace::root().join("data/judgements/queries.csv")
}

/// Reads labelled queries.
pub fn read(path: &Path) -> Result<Vec<Label>, Error> {
    let csv = |source| Error::Csv { path: path.to_owned(), source };
    csv::Reader::from_path(path).map_err(csv)?.deserialize().map(|row| row.map_err(csv)).collect()
}
