//! The query and the results of a search.

use std::{collections::BTreeMap, str::FromStr};

use uuid::Uuid;
use vocabulary::Currency;

use super::document::{Localized, Price};
use crate::{
    domain::RuleEffect,
    text::{Measure, read_measure},
};

/// The maximum number of hits per page.
pub const LIMIT_MAX: usize = 100;

/// A search. The default returns the whole catalogue, page by page.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The text typed by the shopper; a blank one matches everything, one without letters or digits nothing.
    pub q: String,
    /// Filters by this category and its subcategories: `数码/键盘`. Filters compare folded values: case, width,
    /// diacritics and traditional characters do not matter.
    pub category: Option<String>,
    /// Filters by any of these brands; empty: no filter. A text with commas is one brand if any product has
    /// it, otherwise a list.
    pub brands: Vec<String>,
    /// The currency of all prices: of the filter, the order, the facet and the hits. Prices in other currencies do
    /// not exist, but a hit without a price in this one shows its own.
    pub currency: Currency,
    /// The lowest accepted price, in minor units. A product passes if it has a price within both bounds.
    pub price_min: Option<i64>,
    /// The highest accepted price, in minor units.
    pub price_max: Option<i64>,
    pub in_stock: Option<bool>,
    /// The filters by attributes or options, each name once. With `in_stock`, an option counts if a variant with it
    /// is available.
    pub attributes: Vec<AttributeFilter>,
    pub sort: Sort,
    /// The facets to count.
    pub facets: Vec<Facet>,
    /// Hits per page, at most [`LIMIT_MAX`]; 0 only counts.
    pub limit: usize,
    /// `next_cursor` of the previous page.
    pub cursor: Option<String>,
    /// Whether each hit says why it stands where it stands.
    pub explain: bool,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            q: String::new(),
            category: None,
            brands: Vec::new(),
            currency: Currency::CNY,
            price_min: None,
            price_max: None,
            in_stock: None,
            attributes: Vec::new(),
            sort: Sort::Relevance,
            facets: Vec::new(),
            limit: 20,
            cursor: None,
            explain: false,
        }
    }
}

/// A filter by an attribute or option. A product passes with a value that is accepted and in the range.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeFilter {
    pub name: String,
    /// The accepted values; empty: every value.
    pub values: Vec<String>,
    /// `None`: no bounds.
    pub range: Option<NumberRange>,
}

/// A range of numbers of one unit, both bounds included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberRange {
    /// `f64::NEG_INFINITY` for none.
    pub min: f64,
    /// `f64::INFINITY` for none.
    pub max: f64,
    /// The symbol of the unit, such as `gb`; `None` for plain numbers. Numbers of another unit are not in the range.
    pub unit: Option<&'static str>,
}

impl NumberRange {
    /// Whether the number that a folded value consists of is in the range; no other value is.
    pub(crate) fn contains(&self, folded: &str) -> bool {
        read_measure(folded).is_some_and(|Measure { number, unit }| {
            unit == self.unit && (self.min..=self.max).contains(&number)
        })
    }
}

/// The order of the hits. Equal hits are ordered by creation, the newest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// The best match first; without a text query the most popular.
    #[default]
    Relevance,
    /// The lowest price first; products without a price in the currency come last.
    PriceAscending,
    /// The highest price first; products without a price in the currency come last.
    PriceDescending,
    /// The latest created first.
    Newest,
    /// The most popular first.
    Popularity,
}

/// The name of a sort order is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be one of relevance, price_asc, price_desc, newest, popularity")]
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

/// A facet. Its counts ignore its own filter, so they show what choosing another value would give.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Facet {
    Brand,
    /// The direct subcategories of the chosen category.
    Category,
    /// Ranges of prices, `10000..20000` in minor units, the end excluded; the last may be open. A product counts in
    /// each range in which it has a price.
    Price,
    /// `true` and `false`.
    InStock,
    /// The values of the named attribute or option.
    Attribute(String),
    /// The values of the attributes and options that most hits have, each a facet of its own. Left out are those with
    /// a single value and those, such as model numbers, with a value for nearly every product.
    Attributes,
}

/// The name of a facet is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be one of brand, category, price, in_stock, attributes, attr.<name>")]
pub struct UnknownFacet;

impl FromStr for Facet {
    type Err = UnknownFacet;

    fn from_str(name: &str) -> Result<Self, UnknownFacet> {
        match name {
            "brand" => Ok(Self::Brand),
            "category" => Ok(Self::Category),
            "price" => Ok(Self::Price),
            "in_stock" => Ok(Self::InStock),
            "attributes" => Ok(Self::Attributes),
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
            Self::Attributes => f.write_str("attributes"),
        }
    }
}

/// One value of a facet with the number of products.
#[derive(Debug, Clone, PartialEq)]
pub struct FacetCount {
    /// The value in its most frequent spelling, as the filter takes it.
    pub value: String,
    pub count: u64,
    /// The number of the value, for a facet of [`Results::number_ranges`].
    pub number: Option<f64>,
}

/// How a product, or the best product, matches the text query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Match {
    /// No text was typed.
    #[default]
    Browse,
    /// Every word as it was typed.
    Exact,
    /// Every word as typed, corrected or completed: typos, homophones, pinyin, words without their spaces.
    Corrected,
    /// Only some of the words, or the parts of a word in different places.
    Guess,
    /// A rule puts the product here although it does not match.
    Pinned,
    /// No product matches.
    Nothing,
    /// The text has no word.
    NotUnderstood,
}

/// A page of hits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results {
    pub items: Vec<Hit>,
    /// The number of hits on all pages.
    pub total: u64,
    /// How the best product matches, ignoring the filters.
    pub best_match: Match,
    /// The counts by facet name, the most frequent value first. Price ranges and numbers are in ascending order.
    pub facets: BTreeMap<String, Vec<FacetCount>>,
    /// For the facets of attributes whose values are all numbers of one unit: their range, ignoring the own filter.
    pub number_ranges: BTreeMap<String, NumberRange>,
    /// The lowest and the highest price in minor units, ignoring the price filter. With [`Facet::Price`], if any
    /// product has a price in the currency.
    pub price_range: Option<(i64, i64)>,
    /// The cursor of the next page; `None` on the last.
    pub next_cursor: Option<String>,
    /// The corrected query, where nothing matches the query as typed.
    pub did_you_mean: Option<String>,
}

/// One product of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub product_id: Uuid,
    pub title: Localized,
    /// The title in the language that matches better, escaped for HTML, with `<em>` around the matches.
    pub highlight: String,
    /// The lowest price of the available variants; of all, if none is available. In the currency of the query, or
    /// in the product's own if it has no price in this one.
    pub price_min: Option<Price>,
    /// The highest price of these variants, in the same currency.
    pub price_max: Option<Price>,
    pub in_stock: bool,
    /// The product version in the index.
    pub version: i64,
    /// The relevance; comparable within one search only.
    pub score: f32,
    /// How it matches the query.
    pub matched: Match,
    /// Empty for a product without a brand.
    pub brand: String,
    /// The category path; empty for a product without a category.
    pub category: String,
    /// With [`Query::explain`].
    pub explanation: Option<Explanation>,
}

/// Why a hit stands where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub level: MatchLevel,
    /// Whether it is of the category that the query names; such hits come first within a level. `None` if the
    /// query names none.
    pub wanted_category: Option<bool>,
    /// The words of the query.
    pub words: Vec<WordMatch>,
    pub score: f32,
    /// The score of the text.
    pub text: f32,
    /// The factors of the score; `category` is above 1 for the wanted category where it does not come first.
    pub category: f32,
    pub popularity: f32,
    pub stock: f32,
    pub rules: f32,
    pub applied_rules: Vec<AppliedRule>,
}

/// How strictly a hit matches; the hits of a level precede those of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchLevel {
    /// No text was typed.
    Browse,
    /// Every word as typed, by a synonym or by another name of a brand.
    Exact,
    /// Every word, some of them corrected or completed.
    Corrected,
    /// Every word, of some only the parts.
    Apart,
    HalfOfWords,
    AnyWord,
    /// It does not match; a rule puts it here.
    Pinned,
}

/// How a hit contains a word of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordMatch {
    /// The word, folded.
    pub word: String,
    /// `None` if the hit does not contain it.
    pub by: Option<MatchedBy>,
    /// What the title contains; `None` if the match is in another text.
    pub text: Option<String>,
}

/// What a word is matched by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchedBy {
    Typed,
    Synonym,
    BrandName,
    /// The word is the beginning of another one.
    Completed,
    Corrected,
    /// Pinyin or a homophone.
    Pinyin,
    /// Its parts, in different places.
    Parts,
}

/// A rule that moved a hit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AppliedRule {
    pub rule_id: Uuid,
    pub effect: RuleEffect,
}

/// Why a search failed.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("the cursor does not belong to this search")]
    InvalidCursor,
    #[error("a stored document could not be decoded")]
    Decode(#[source] serde_json::Error),
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
    use super::{Facet, Sort, UnknownFacet, UnknownSort};

    #[test]
    fn facet_names_round_trip() {
        for name in ["brand", "category", "price", "in_stock", "attributes", "attr.颜色"] {
            assert_eq!(name.parse::<Facet>().map(|facet| facet.to_string()).as_deref(), Ok(name));
        }
        assert_eq!("attr.".parse::<Facet>(), Err(UnknownFacet));
        assert_eq!("colour".parse::<Facet>(), Err(UnknownFacet));
        assert_eq!("cheap".parse::<Sort>(), Err(UnknownSort));
    }
}
