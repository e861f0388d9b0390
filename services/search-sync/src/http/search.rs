use std::{collections::BTreeMap, time::Instant};

use axum::extract::State;
use messaging::Kit;
use problem::{Json, Problem, Query};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{Localized, ProductId};

use super::{
    parameters::{Asked, Awaited, Fresh, parse},
    searching::Searching,
};
use crate::{
    index::{self, Results},
    storage::documents,
    tail::{Live, Progress},
};

/// A page of hits.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SearchAnswer {
    /// The hits, the best first.
    items: Vec<Hit>,
    /// How many there are on all pages.
    total: u64,
    /// The counts of each facet that was asked for, without the facet's own filter: what choosing another value would give.
    facets: BTreeMap<String, Vec<FacetCount>>,
    /// The lowest and the highest price of what matches, whatever the filter by price; with the facet `price`.
    #[serde(skip_serializing_if = "Option::is_none")]
    price_range: Option<PriceRange>,
    /// Gives the next page; null on the last.
    next_cursor: Option<String>,
    /// How long the search took, in milliseconds.
    took_ms: f64,
    /// What was probably meant, where nothing matches what was typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    did_you_mean: Option<String>,
    /// With `min_version`: whether the index had it in time. If not, the hits are of what it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    caught_up: Option<bool>,
}

/// One product found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Hit {
    /// Which.
    product_id: ProductId,
    /// Its name.
    title: Localized,
    /// The name in the language that matched better, escaped for HTML, with `<em>` around what matched.
    highlight: String,
    /// The lowest price of its variants.
    price_min: Option<Price>,
    /// The highest price of its variants.
    price_max: Option<Price>,
    /// Whether it can be had.
    in_stock: bool,
    /// The version of the product that was found.
    version: i64,
    /// How well it matches; comparable within one search.
    score: f32,
    /// Who makes it; empty where nobody is named.
    brand: String,
    /// Where it stands in the shop.
    category: String,
}

/// An amount of money.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Price {
    /// Minor units: 12900 is 129.00.
    amount: i64,
    /// ISO 4217.
    currency: String,
}

/// One value of a facet.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FacetCount {
    /// The value, as it is filtered by; a range of prices as `10000..20000`, the end excluded.
    value: String,
    /// How many products have it.
    count: u64,
}

/// A range of prices, in minor units.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PriceRange {
    /// The lowest.
    min: i64,
    /// The highest.
    max: i64,
}

/// Products that match.
///
/// Misspelt words, homophones and pinyin find what was probably meant; the fewer words match, the later the hit. Without `q`
/// it browses.
///
/// To read one's own write: `product_id` and `min_version` wait until the index has the product in that version (or has
/// taken it out by then); `min_version` alone waits until one of the hits has that version; `min_change` waits for the change
/// of that number, as `GET /v1/index` counts them.
#[utoipa::path(
    get, path = "/v1/search", tag = "search",
    params(
        ("q" = Option<String>, Query, description = "What the shopper typed: up to 256 characters"),
        ("category" = Option<String>, Query, description = "This category and all below it, such as 数码/键盘"),
        ("brand" = Option<Vec<String>>, Query, description = "One of these brands: repeated, or with commas"),
        ("price_min" = Option<i64>, Query, description = "The lowest price, in minor units"),
        ("price_max" = Option<i64>, Query, description = "The highest price, in minor units"),
        ("in_stock" = Option<bool>, Query, description = "Only what can be had (or cannot)"),
        ("attr.<name>" = Option<Vec<String>>, Query, description = "One of these values of the attribute: repeated"),
        ("sort" = Option<String>, Query, description = "relevance, price_asc, price_desc, newest or popularity"),
        ("facets" = Option<Vec<String>>, Query, description = "What to count: brand, category, price, in_stock, attr.<name>"),
        ("limit" = Option<u16>, Query, description = "How many hits: 0 to 100, 20 unless said"),
        ("cursor" = Option<String>, Query, description = "next_cursor of the page before"),
        ("product_id" = Option<uuid::Uuid>, Query, description = "The product that min_version is about"),
        ("min_version" = Option<i64>, Query, description = "The version that the product, or one of the hits, has to have first"),
        ("min_change" = Option<i64>, Query, description = "The change that the index has to have first"),
        ("wait_ms" = Option<u16>, Query, description = "How long to wait for it: up to 10000, 1000 unless said"),
    ),
    responses((status = 200, body = SearchAnswer))
)]
pub(super) async fn search(
    State(live): State<Live>,
    State(kit): State<Kit>,
    State(searching): State<Searching>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<SearchAnswer>, Problem> {
    let Asked { query, fresh } = parse(pairs)?;
    let caught_up = match fresh {
        Some(fresh) => Some(wait(&live, &kit, &searching, &query, fresh).await?),
        None => None,
    };
    let begun = Instant::now();
    let results = searching.run(move |index| index.search(&query)).await?;
    let took = begun.elapsed();
    metrics::histogram!("search_duration_seconds").record(took);
    Ok(Json(answer(results, took.as_secs_f64() * 1000.0, caught_up)))
}

/// Waits until the index has what the request wants; answers whether it has.
async fn wait(
    live: &Live,
    kit: &Kit,
    searching: &Searching,
    query: &index::Query,
    fresh: Fresh,
) -> Result<bool, Problem> {
    let deadline = tokio::time::Instant::now() + fresh.wait;
    live.wait_until(deadline, async |progress| match fresh.awaited {
        Awaited::Product(product, version) => has(live, kit, progress, product, version).await,
        Awaited::Hit(version) => {
            let query = query.clone();
            let results = searching.run(move |index| index.search(&query)).await?;
            Ok(results.items.iter().any(|hit| hit.version >= version))
        }
        Awaited::Change(change) => Ok(progress.applied >= change),
    })
    .await
}

/// Whether the index has heard of `product` in `version` or a later one.
async fn has(
    live: &Live,
    kit: &Kit,
    progress: Progress,
    product: ProductId,
    version: i64,
) -> Result<bool, Problem> {
    let indexed = match live.index() {
        Some(index) => index.version_of(product.as_uuid()),
        None => Ok(None),
    };
    let indexed = indexed.map_err(|error| Problem::internal_from(&error))?;
    if indexed.is_some_and(|indexed| indexed >= version) {
        return Ok(true);
    }
    // What is not for sale is not in the index; then it counts that the index has heard of it.
    let held = documents::find(&mut *kit.pool().acquire().await?, product).await?;
    Ok(held.is_some_and(|held| held.version >= version && held.change <= progress.applied))
}

fn answer(results: Results, took_ms: f64, caught_up: Option<bool>) -> SearchAnswer {
    let Results { items, total, facets, price_range, next_cursor, did_you_mean, took_ms: _ } =
        results;
    let count = |one: index::FacetCount| FacetCount { value: one.value, count: one.count };
    SearchAnswer {
        items: items.into_iter().map(hit).collect(),
        total,
        facets: facets
            .into_iter()
            .map(|(name, counts)| (name, counts.into_iter().map(count).collect()))
            .collect(),
        price_range: price_range.map(|(min, max)| PriceRange { min, max }),
        next_cursor,
        took_ms,
        did_you_mean,
        caught_up,
    }
}

fn hit(hit: index::Hit) -> Hit {
    let price = |price: index::Price| Price { amount: price.amount, currency: price.currency };
    Hit {
        product_id: hit.product_id.into(),
        title: Localized { zh: hit.title.zh, en: hit.title.en },
        highlight: hit.highlight,
        price_min: hit.price_min.map(price),
        price_max: hit.price_max.map(price),
        in_stock: hit.in_stock,
        version: hit.version,
        score: hit.score,
        brand: hit.brand,
        category: hit.category,
    }
}
