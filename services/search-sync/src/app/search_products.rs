//! Searches products, if requested only after the index contains the caller's own write.

use std::time::{Duration, Instant};

use messaging::Outbox;
use runtime::clock;
use vocabulary::{Currency, ProductId};

use super::search_pool::{SearchPool, SearchPoolError};
use crate::{
    index::{IndexProgress, LiveIndex, LiveSettings, Query, Results},
    storage::documents,
    text::PriceWords,
};

/// A search with an optional condition on the index.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SearchRequest {
    pub(crate) query: Query,
    /// The words for the price that are now in the filters and the order.
    pub(crate) price_words: Option<PriceWords>,
    pub(crate) read_after_write: Option<ReadAfterWrite>,
}

/// What the index must contain before it is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadAfterWrite {
    pub(crate) condition: ReadCondition,
    /// The longest wait.
    pub(crate) wait: Duration,
}

/// The condition of a [`ReadAfterWrite`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadCondition {
    /// This product in this version or a later one.
    Product(ProductId, i64),
    /// Any hit in this version or a later one.
    AnyHit(i64),
    /// The change with this number.
    Change(i64),
}

/// The results of a search.
#[derive(Debug)]
pub(crate) struct SearchResponse {
    pub(crate) results: Results,
    pub(crate) currency: Currency,
    pub(crate) price_words: Option<PriceWords>,
    /// Whether the condition was met in time; `None` without a condition.
    pub(crate) caught_up: Option<bool>,
    /// The duration of the search, without the wait for the condition.
    pub(crate) took: Duration,
}

/// Why a search failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchProductsError {
    #[error(transparent)]
    Search(#[from] SearchPoolError),
    #[error("the projection could not be read")]
    Database(#[from] sqlx::Error),
}

/// Waits for the condition of the request, then searches. A condition that is not met in time is no error.
pub(crate) async fn search_products(
    pool: &SearchPool,
    live: &LiveIndex,
    settings: &LiveSettings,
    outbox: &Outbox,
    request: SearchRequest,
) -> Result<SearchResponse, SearchProductsError> {
    let SearchRequest { query, price_words, read_after_write } = request;
    let caught_up = match read_after_write {
        Some(condition) => Some(wait(pool, live, settings, outbox, &query, condition).await?),
        None => None,
    };
    let currency = query.currency;
    let started = Instant::now();
    let results = run(pool, settings, query).await?;
    Ok(SearchResponse { results, currency, price_words, caught_up, took: started.elapsed() })
}

/// Searches with the settings in use.
async fn run(
    pool: &SearchPool,
    settings: &LiveSettings,
    query: Query,
) -> Result<Results, SearchPoolError> {
    let settings = settings.settings().ok_or(SearchPoolError::NoIndex)?;
    pool.run(move |index| index.search_with(&query, &settings, clock::now())).await
}

/// Waits for a condition; returns whether it was met in time.
async fn wait(
    pool: &SearchPool,
    live: &LiveIndex,
    settings: &LiveSettings,
    outbox: &Outbox,
    query: &Query,
    ReadAfterWrite { condition, wait }: ReadAfterWrite,
) -> Result<bool, SearchProductsError> {
    let deadline = tokio::time::Instant::now() + wait;
    live.wait_until(deadline, async |progress| match condition {
        ReadCondition::Product(product, version) => {
            has_version(live, outbox, progress, product, version).await
        }
        ReadCondition::AnyHit(version) => {
            let results = run(pool, settings, query.clone()).await?;
            Ok(results.items.iter().any(|hit| hit.version >= version))
        }
        ReadCondition::Change(change) => Ok(progress.applied >= change),
    })
    .await
}

/// Whether the index reflects `version` of a product or a later one.
async fn has_version(
    live: &LiveIndex,
    outbox: &Outbox,
    progress: IndexProgress,
    product: ProductId,
    version: i64,
) -> Result<bool, SearchProductsError> {
    let indexed = match live.index() {
        Some(index) => index.version_of(product.as_uuid()).map_err(SearchPoolError::Search)?,
        None => None,
    };
    if indexed.is_some_and(|indexed| indexed >= version) {
        return Ok(true);
    }
    // An inactive product is not in the index, so compare its change number.
    let projected = documents::find_version(&mut *outbox.pool().acquire().await?, product).await?;
    Ok(projected.is_some_and(|found| found.version >= version && found.change <= progress.applied))
}
