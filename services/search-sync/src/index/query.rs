//! What is asked, and what is answered.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Serialize;
use uuid::Uuid;

use super::document::{Localized, Price};

/// The most hits of one page.
pub const LIMIT_MAX: usize = 100;

/// A search. The default browses everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What the shopper typed; empty, or without a letter in it, matches all.
    pub q: String,
    /// Only this category and those under it: `数码/键盘`.
    pub category: Option<String>,
    /// Only these brands, however written in capitals; empty: all.
    pub brands: Vec<String>,
    /// Only products that have a price of at least this, in minor units.
    pub price_min: Option<i64>,
    /// Only products that have a price of at most this, in minor units.
    pub price_max: Option<i64>,
    /// Only products that can (or cannot) be had.
    pub in_stock: Option<bool>,
    /// Only products with one of the values, for each of the attributes.
    pub attributes: Vec<(String, Vec<String>)>,
    /// The order of the hits.
    pub sort: Sort,
    /// What to count besides.
    pub facets: Vec<Facet>,
    /// How many hits, at most [`LIMIT_MAX`]; 0 only counts.
    pub limit: usize,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            q: String::new(),
            category: None,
            brands: Vec::new(),
            price_min: None,
            price_max: None,
            in_stock: None,
            attributes: Vec::new(),
            sort: Sort::Relevance,
            facets: Vec::new(),
            limit: 20,
            cursor: None,
        }
    }
}

/// The order of hits. Equal ones come newest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// The best match first; without words to match, the most popular.
    #[default]
    Relevance,
    /// The lowest price first, those without a price last.
    PriceAscending,
    /// The highest price first, those without a price last.
    PriceDescending,
    /// The latest created first.
    Newest,
    /// The most popular first.
    Popularity,
}

/// A sort that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sort is one of relevance, price_asc, price_desc, newest, popularity")]
pub struct UnknownSort;

impl FromStr for Sort {
    type Err = UnknownSort;

    fn from_str(name: &str) -> Result<Self, UnknownSort> {
        match name {
            "relevance" => Ok(Self::Relevance),
            "price_asc" => Ok(Self::PriceAscending),
            "price_desc" => Ok(Self::PriceDescending),
            "newest" => Ok(Self::Newest),
            "popularity" => Ok(Self::Popularity),
            _ => Err(UnknownSort),
        }
    }
}

/// Something that hits are counted by. The counts of a facet leave out its own filter, so that they tell what choosing
/// another value would give.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facet {
    /// By brand.
    Brand,
    /// By the categories right under the chosen one.
    Category,
    /// By ranges of the lowest price, `10000..20000` in minor units, the end excluded; the last may be open.
    Price,
    /// By `true` and `false`.
    InStock,
    /// By the values of an attribute.
    Attribute(String),
}

/// A facet that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a facet is one of brand, category, price, in_stock, attr.<name>")]
pub struct UnknownFacet;

impl FromStr for Facet {
    type Err = UnknownFacet;

    fn from_str(name: &str) -> Result<Self, UnknownFacet> {
        match name {
            "brand" => Ok(Self::Brand),
            "category" => Ok(Self::Category),
            "price" => Ok(Self::Price),
            "in_stock" => Ok(Self::InStock),
            _ => name
                .strip_prefix("attr.")
                .filter(|key| !key.is_empty())
                .map(|key| Self::Attribute(key.to_owned()))
                .ok_or(UnknownFacet),
        }
    }
}

impl std::fmt::Display for Facet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Brand => f.write_str("brand"),
            Self::Category => f.write_str("category"),
            Self::Price => f.write_str("price"),
            Self::InStock => f.write_str("in_stock"),
            Self::Attribute(key) => write!(f, "attr.{key}"),
        }
    }
}

/// One value of a facet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FacetCount {
    /// The value, as it is filtered by.
    pub value: String,
    /// How many products have it.
    pub count: u64,
}

/// A page of hits.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Results {
    /// The hits.
    pub items: Vec<Hit>,
    /// How many there are on all pages.
    pub total: u64,
    /// The counts by the name of the facet, the most frequent value first (price ranges: the lowest first).
    pub facets: BTreeMap<String, Vec<FacetCount>>,
    /// The lowest and the highest price in minor units of what matches, with all filters but that by price; only where
    /// [`Facet::Price`] was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_range: Option<(i64, i64)>,
    /// Gives the next page; none on the last.
    pub next_cursor: Option<String>,
    /// For the caller to fill in, milliseconds.
    pub took_ms: f64,
    /// What the shopper probably meant, where nothing matches what was typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did_you_mean: Option<String>,
}

/// One product found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    /// Which.
    pub product_id: Uuid,
    /// The title in its languages.
    pub title: Localized,
    /// The title in the language that matched better, escaped for HTML, with `<em>` around what matched.
    pub highlight: String,
    /// The lowest price of its variants.
    pub price_min: Option<Price>,
    /// The highest price of its variants.
    pub price_max: Option<Price>,
    /// Whether it can be had.
    pub in_stock: bool,
    /// The version of the product that the index has.
    pub version: i64,
    /// How well it matches; comparable within one search only.
    pub score: f32,
    /// The brand; empty where there is none.
    pub brand: String,
    /// The path of the category; empty where there is none.
    pub category: String,
}

/// Why a search failed.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The cursor is not one of ours, or belongs to another search.
    #[error("the cursor does not belong to this search")]
    Cursor,
    /// A stored document cannot be read.
    #[error("a stored document cannot be read")]
    Decode(#[source] serde_json::Error),
    /// The index failed.
    #[error("the index could not be read")]
    Index(#[from] tantivy::TantivyError),
}

impl From<std::io::Error> for SearchError {
    fn from(source: std::io::Error) -> Self {
        Self::Index(source.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facets_have_names() {
        for name in ["brand", "category", "price", "in_stock", "attr.颜色"] {
            assert_eq!(name.parse::<Facet>().map(|facet| facet.to_string()).as_deref(), Ok(name));
        }
        assert_eq!("attr.".parse::<Facet>(), Err(UnknownFacet));
        assert_eq!("colour".parse::<Facet>(), Err(UnknownFacet));
        assert_eq!("cheap".parse::<Sort>(), Err(UnknownSort));
    }
}
