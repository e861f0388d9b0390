use std::collections::BTreeMap;

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Problem, Query};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{Currency, Localized, ProductId};

use super::{
    explanation_view::ExplanationView,
    search_params::{SearchParams, read_search},
};
use crate::{
    app::{
        search_pool::SearchPool,
        search_products::{self, SearchResponse},
    },
    index::{self, LiveIndex, LiveSettings, Results},
    text::{self, PriceOrder},
};

/// A page of hits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SearchPage {
    /// The hits, the best first.
    items: Vec<Hit>,
    /// The number of hits on all pages.
    total: u64,
    /// How the best product matches `q`, ignoring the filters.
    #[serde(rename = "match")]
    best_match: Match,
    /// The counts of each requested facet. A facet ignores its own filter, so it shows what choosing another
    /// value gives.
    facets: BTreeMap<String, Vec<FacetCount>>,
    /// For each counted attribute whose values are all numbers of one unit: their range, ignoring the own filter. The
    /// key is the name of the facet.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    number_ranges: BTreeMap<String, NumberRange>,
    /// The currency of the price filter, the order by price, the facet `price` and `price_range`.
    currency: Currency,
    /// The lowest and the highest price, ignoring the price filter. With the facet `price`, if any product has a
    /// price in the currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    price_range: Option<PriceRange>,
    /// The cursor of the next page; null on the last.
    next_cursor: Option<String>,
    /// The duration of the search, in milliseconds.
    took_ms: f64,
    /// The corrected query, where nothing matches the query as typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    did_you_mean: Option<String>,
    /// The words for the price in `q` that became a filter or an order. `price_words=false` searches for them
    /// instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    price_words: Option<PriceWords>,
    /// With `min_version` or `min_change`: whether the index contained it in time. If not, the hits may be
    /// older.
    #[serde(skip_serializing_if = "Option::is_none")]
    caught_up: Option<bool>,
}

/// What words of a query say about the price.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PriceWords {
    /// The query that was searched: `q` without these words.
    q: String,
    /// The words, folded.
    words: Vec<String>,
    /// The lowest price, in minor units.
    price_min: Option<i64>,
    /// The highest price, in minor units.
    price_max: Option<i64>,
    /// The order that the words ask for; an order in the request comes before it.
    sort: Option<PriceSort>,
}

/// An order by price.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PriceSort {
    PriceAsc,
    PriceDesc,
}

/// One product of a page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Hit {
    product_id: ProductId,
    title: Localized,
    /// The title in the language that matches better, escaped for HTML, with `<em>` around the matches.
    highlight: String,
    /// The lowest price of the available variants; of all, if none is available. In the currency of the search, or
    /// in the product's own if it has no price in this one.
    price_min: Option<Price>,
    /// The highest price of these variants, in the same currency.
    price_max: Option<Price>,
    /// Whether any variant is available.
    in_stock: bool,
    /// The indexed version of the product.
    version: i64,
    /// The relevance; comparable within one search only.
    score: f32,
    /// How the product matches `q`.
    #[serde(rename = "match")]
    matched: Match,
    /// Empty for a product without a brand.
    brand: String,
    /// The category path; empty for a product without a category.
    category: String,
    /// With `explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<ExplanationView>,
}

/// How a product matches `q`.
///
/// - `browse`: `q` is blank, so every product is a hit.
/// - `exact`: every word as it was typed.
/// - `corrected`: every word as typed, corrected or completed: typos, homophones, pinyin, words without their
///   spaces.
/// - `guess`: only some of the words, or the parts of a word in different places. Say that it is a guess.
/// - `pinned`: a merchandising rule for `q` lists the product although it does not match.
/// - `nothing`: no product matches.
/// - `not_understood`: `q` has no word, only marks or emoji.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Match {
    Browse,
    Exact,
    Corrected,
    Guess,
    Pinned,
    Nothing,
    NotUnderstood,
}

/// An amount of money.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Price {
    /// Minor units: 12900 is 129.00.
    amount: i64,
    /// The ISO 4217 code.
    currency: Currency,
}

/// One value of a facet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FacetCount {
    /// The value, as the filter takes it; a range of prices as `10000..20000`, the end excluded.
    value: String,
    /// The number of products.
    count: u64,
    /// The value as a number, in the facets of `number_ranges`, which are in ascending order.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<f64>,
}

/// A range of numbers of one unit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NumberRange {
    min: f64,
    max: f64,
    /// The symbol of the unit, such as `gb`; absent for plain numbers. `attr_min` and `attr_max` take it behind the
    /// number.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
}

/// A range of prices, in minor units.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PriceRange {
    min: i64,
    max: i64,
}

/// Search products
///
/// The search tolerates typos, homophones, pinyin and words without their spaces. Hits that match fewer words
/// follow the others; `match` calls them guesses. Without `q` it lists all products; a `q` of marks or emoji finds
/// none. A SKU or barcode finds exactly its product. Words for a price (200元以下, `under 3000`, 便宜的) become a
/// filter or an order, which `price_words` names.
///
/// A search compares the prices of one currency, `currency` or the shop's. A product without a price in it passes no
/// price filter, does not count in the facet `price`, and comes last in both orders by price. A product passes the
/// price filter if the price of an available variant does; if none is available, that of any variant.
///
/// The synonyms of `GET /v1/synonyms` find products like the typed words. Merchandising rules hide products, change
/// their score, or put them at a position; the latter two only in the order by relevance. All pages of a search apply
/// the rules of its first page. `explain=true` says for each hit why it stands where it stands.
///
/// To read your own write, pass `product_id` and `min_version`: the search waits until the index reflects
/// that version of the product. `min_version` alone waits until any hit has that version. `min_change` waits
/// for a change number of `GET /v1/index`.
#[utoipa::path(
    get, path = "/v1/search", tag = "search",
    params(
        SearchParams,
        (
            "attr.<name>" = Option<Vec<String>>, Query,
            description = "Accepted values of the attribute, or of the option of the variants (attr.颜色=红); \
                repeat it for several values. With `in_stock=true`, a variant with the option must be available"
        ),
        (
            "attr_min.<name>" = Option<String>, Query,
            description = "The lowest accepted number of the attribute or option (attr_min.重量=1.2). A bound with a \
                unit accepts the values of this unit (attr_min.容量=256GB), a bound without one plain numbers"
        ),
        (
            "attr_max.<name>" = Option<String>, Query,
            description = "The highest accepted number of the attribute or option, of the same unit"
        ),
    ),
    responses((status = 200, body = SearchPage))
)]
pub(crate) async fn search_products(
    State(live): State<LiveIndex>,
    State(settings): State<LiveSettings>,
    State(outbox): State<Outbox>,
    State(pool): State<SearchPool>,
    State(shop_currency): State<Currency>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<SearchPage>, Problem> {
    let request = read_search(pairs, shop_currency)?;
    let response = search_products::search_products(&pool, &live, &settings, &outbox, request);
    let response = response.await?;
    metrics::histogram!("search_duration_seconds").record(response.took);
    Ok(Json(response.into()))
}

impl From<SearchResponse> for SearchPage {
    fn from(response: SearchResponse) -> Self {
        let SearchResponse { results, currency, price_words, caught_up, took } = response;
        let Results {
            items,
            total,
            best_match,
            facets,
            number_ranges,
            price_range,
            next_cursor,
            did_you_mean,
        } = results;
        Self {
            items: items.into_iter().map(Hit::from).collect(),
            total,
            best_match: best_match.into(),
            facets: facets
                .into_iter()
                .map(|(name, counts)| (name, counts.into_iter().map(FacetCount::from).collect()))
                .collect(),
            number_ranges: number_ranges
                .into_iter()
                .map(|(name, range)| (name, NumberRange::from(range)))
                .collect(),
            currency,
            price_range: price_range.map(|(min, max)| PriceRange { min, max }),
            next_cursor,
            took_ms: took.as_secs_f64() * 1000.0,
            did_you_mean,
            price_words: price_words.map(PriceWords::from),
            caught_up,
        }
    }
}

impl From<text::PriceWords> for PriceWords {
    fn from(found: text::PriceWords) -> Self {
        let sort = |order| match order {
            PriceOrder::CheapestFirst => PriceSort::PriceAsc,
            PriceOrder::DearestFirst => PriceSort::PriceDesc,
        };
        Self {
            q: found.rest,
            words: found.words,
            price_min: found.price_min,
            price_max: found.price_max,
            sort: found.order.map(sort),
        }
    }
}

impl From<index::FacetCount> for FacetCount {
    fn from(found: index::FacetCount) -> Self {
        let index::FacetCount { value, count, number } = found;
        Self { value, count, number }
    }
}

impl From<index::NumberRange> for NumberRange {
    fn from(range: index::NumberRange) -> Self {
        let index::NumberRange { min, max, unit } = range;
        Self { min, max, unit }
    }
}

impl From<index::Match> for Match {
    fn from(found: index::Match) -> Self {
        match found {
            index::Match::Browse => Self::Browse,
            index::Match::Exact => Self::Exact,
            index::Match::Corrected => Self::Corrected,
            index::Match::Guess => Self::Guess,
            index::Match::Pinned => Self::Pinned,
            index::Match::Nothing => Self::Nothing,
            index::Match::NotUnderstood => Self::NotUnderstood,
        }
    }
}

impl From<index::Hit> for Hit {
    fn from(hit: index::Hit) -> Self {
        let price = |price: index::Price| Price { amount: price.amount, currency: price.currency };
        Self {
            product_id: hit.product_id.into(),
            title: Localized { zh: hit.title.zh, en: hit.title.en },
            highlight: hit.highlight,
            price_min: hit.price_min.map(price),
            price_max: hit.price_max.map(price),
            in_stock: hit.in_stock,
            version: hit.version,
            score: hit.score,
            matched: hit.matched.into(),
            brand: hit.brand,
            category: hit.category,
            explanation: hit.explanation.map(ExplanationView::from),
        }
    }
}
