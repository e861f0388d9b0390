//! The limit of the index and of a search: the Tantivy library alone, with the schema and the tokenizers of the
//! service, on the same documents.
//!
//! *Building* adds prepared documents with Tantivy's default writer (a thread per processor), commits once and opens
//! the reader. A *search* is what the service runs after it has read a request: the same Tantivy queries, prepared,
//! with the filters as clauses, on one segment. Tantivy's own collectors keep the best twenty hits, count all, and
//! aggregate the facets; then the stored hits are read. The hits of relaxed queries are not merged.

use std::{
    num::NonZero,
    path::Path,
    thread::available_parallelism,
    time::{Duration, Instant},
};

use search_sync::index::{Document, Index, Query, SearchSettings};
use serde_json::json;
use tantivy::{
    IndexWriter, Searcher, TantivyDocument, TantivyError,
    aggregation::{
        AggContextParams, AggregationCollector, AggregationLimitsGuard, agg_req::Aggregations,
    },
    collector::{Count, TopDocs},
    query::Query as TantivyQuery,
};

use crate::error::Error;

/// The memory for new documents, in bytes, per thread.
const MEMORY_BUDGET: usize = 64_000_000;

/// The number of hits.
const LIMIT: usize = 20;

/// The most values of a facet.
const VALUES_MAX: u32 = 100;

/// Where the ranges of prices end, in minor units.
const PRICES: [f64; 13] = [200.0, 500.0, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6];

/// The documents in the form that Tantivy takes.
pub(super) fn prepare(
    documents: impl Iterator<Item = Document>,
) -> Result<Vec<TantivyDocument>, Error> {
    let index = Index::in_memory()?;
    let prepared = documents.map(|document| index.tantivy_document(&document));
    Ok(prepared.collect::<Result<_, _>>()?)
}

/// Builds an index in an empty folder; returns how long it took until all documents were searchable.
pub(super) fn build(folder: &Path, documents: &[TantivyDocument]) -> Result<Duration, Error> {
    let ours = Index::in_memory()?;
    let mut index = tantivy::Index::create_in_dir(folder, ours.tantivy().schema())?;
    index.set_tokenizers(ours.tantivy().tokenizers().clone());
    let documents = documents.to_vec();
    let threads = available_parallelism().map_or(1, NonZero::get);
    let began = Instant::now();
    let mut writer: IndexWriter =
        index.writer_with_num_threads(threads, threads * MEMORY_BUDGET)?;
    for document in documents {
        writer.add_document(document)?;
    }
    writer.commit()?;
    index.reader()?;
    let elapsed = began.elapsed();
    writer.wait_merging_threads()?;
    Ok(elapsed)
}

/// Merges the index in a folder into one segment, as a rebuild of the service does, and opens it.
pub(super) fn compact(folder: &Path) -> Result<Index, Error> {
    let index = Index::open(folder)?;
    index.writer()?.compact()?.close()?;
    Ok(index)
}

/// A search with everything prepared that can be.
pub(super) struct PreparedSearch {
    queries: Vec<Box<dyn TantivyQuery>>,
    facets: Aggregations,
}

impl PreparedSearch {
    pub(super) fn new(
        index: &Index,
        query: &Query,
        settings: &SearchSettings,
    ) -> Result<Self, Error> {
        let terms = |field: &str| json!({ "terms": { "field": field, "size": VALUES_MAX } });
        let starts = std::iter::once(None).chain(PRICES.into_iter().map(Some));
        let ends = PRICES.into_iter().map(Some).chain([None]);
        let ranges: Vec<_> = starts
            .zip(ends)
            .map(|(from, to)| match (from, to) {
                (Some(from), Some(to)) => json!({ "from": from, "to": to }),
                (Some(from), None) => json!({ "from": from }),
                (None, to) => json!({ "to": to }),
            })
            .collect();
        let facets = json!({
            "brand": terms("brand_name"),
            "category": terms("category_level"),
            "in_stock": terms("in_stock"),
            "price": { "range": { "field": "prices.CNY", "ranges": ranges } },
            "price_range": { "stats": { "field": "prices.CNY" } },
        });
        let facets = serde_json::from_value(facets)
            .map_err(|error| Error::Inconsistent(error.to_string()))?;
        Ok(Self { queries: index.tantivy_queries(query, settings)?, facets })
    }

    /// Runs the search; returns the number of matches of the last query.
    pub(super) fn run(&self, searcher: &Searcher) -> Result<usize, TantivyError> {
        let mut count = 0;
        let mut best = Vec::new();
        for query in &self.queries {
            let context = AggContextParams::new(
                AggregationLimitsGuard::default(),
                searcher.index().tokenizers().clone(),
            );
            let facets = AggregationCollector::from_aggs(self.facets.clone(), context);
            let collector = (TopDocs::with_limit(LIMIT).order_by_score(), Count, facets);
            (best, count, _) = searcher.search(query.as_ref(), &collector)?;
        }
        for (_, address) in best {
            let _: TantivyDocument = searcher.doc(address)?;
        }
        Ok(count)
    }
}
