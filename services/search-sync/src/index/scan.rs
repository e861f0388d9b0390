//! One walk over all documents that match: filtering, counting, and keeping the best.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use tantivy::columnar::ColumnValues;
use tantivy::query::{EnableScoring, Query as LibraryQuery};
use tantivy::{BitSet, DocAddress, Searcher, SegmentReader};
use uuid::Uuid;

use super::facets::Counters;
use super::filter::{Filters, Verdict};
use super::query::{Query, SearchError, Sort};
use super::schema::column;

/// What popularity adds to a score, per e-fold of it, and at most.
const POPULARITY: f32 = 0.08;
const POPULARITY_MAX: f32 = 1.0;
/// What is left of a score when the product is out of stock.
const OUT_OF_STOCK: f32 = 0.5;

/// Where a hit stands in the order of a search. The lesser one comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rank {
    /// Hits of a stricter reading come before all others.
    pub(super) rung: u8,
    /// By this, the greatest first.
    pub(super) key: i64,
    /// Then by this, the latest first.
    pub(super) product_id: Uuid,
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rung
            .cmp(&other.rung)
            .then_with(|| other.key.cmp(&self.key))
            .then_with(|| other.product_id.cmp(&self.product_id))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A hit before it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) rank: Rank,
    pub(super) score: f32,
    pub(super) address: DocAddress,
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The state of a search over one or more walks; a document counts in the first walk that meets it.
pub(super) struct Scan<'a> {
    searcher: &'a Searcher,
    query: &'a Query,
    after: Option<Rank>,
    keep: usize,
    seen: Vec<BitSet>,
    best: BinaryHeap<Candidate>,
    counters: Counters,
    /// How many documents matched, whatever the filters.
    pub(super) matched: u64,
    /// How many of them passed the filters.
    pub(super) total: u64,
}

impl<'a> Scan<'a> {
    /// A scan that keeps the `keep` best hits that come after `after`.
    pub(super) fn new(
        searcher: &'a Searcher,
        query: &'a Query,
        after: Option<Rank>,
        keep: usize,
    ) -> Self {
        let segments = searcher.segment_readers().iter();
        Self {
            searcher,
            query,
            after,
            keep,
            seen: segments.map(|segment| BitSet::with_max_value(segment.max_doc())).collect(),
            best: BinaryHeap::new(),
            counters: Counters::new(query),
            matched: 0,
            total: 0,
        }
    }

    /// Walks over what `matching` matches and no walk before did.
    pub(super) fn walk(
        &mut self,
        matching: &dyn LibraryQuery,
        rung: u8,
    ) -> Result<(), SearchError> {
        let searcher = self.searcher;
        let weight = matching.weight(EnableScoring::enabled_from_searcher(searcher))?;
        for (ord, segment) in (0_u32..).zip(searcher.segment_readers()) {
            let filters = Filters::new(self.query, segment)?;
            let columns = Columns::open(segment)?;
            let mut counters = self.counters.open(segment)?;
            let alive = segment.alive_bitset();
            let mut seen = self.take_seen(ord);
            weight.for_each(segment, &mut |doc, score| {
                if alive.is_some_and(|alive| !alive.is_alive(doc)) || seen.contains(doc) {
                    return;
                }
                seen.insert(doc);
                self.matched += 1;
                let verdict = filters.verdict(doc);
                counters.count(doc, verdict);
                if verdict == Verdict::Hit {
                    self.total += 1;
                    let score = columns.adjust(score, doc);
                    let rank = columns.rank(self.query.sort, rung, score, doc);
                    let address = DocAddress::new(ord, doc);
                    self.offer(Candidate { rank, score, address });
                }
            })?;
            self.put_seen(ord, seen);
            self.counters.add(counters)?;
        }
        Ok(())
    }

    /// The best hits, in order, and the counters.
    pub(super) fn finish(self) -> (Vec<Candidate>, Counters) {
        (self.best.into_sorted_vec(), self.counters)
    }

    fn offer(&mut self, candidate: Candidate) {
        if self.after.is_some_and(|after| candidate.rank <= after) {
            return;
        }
        if self.best.len() < self.keep {
            self.best.push(candidate);
        } else if let Some(mut worst) = self.best.peek_mut()
            && candidate < *worst
        {
            *worst = candidate;
        }
    }

    fn take_seen(&mut self, ord: u32) -> BitSet {
        let empty = BitSet::with_max_value(0);
        usize::try_from(ord)
            .ok()
            .and_then(|place| self.seen.get_mut(place))
            .map_or_else(|| BitSet::with_max_value(0), |seen| std::mem::replace(seen, empty))
    }

    fn put_seen(&mut self, ord: u32, seen: BitSet) {
        if let Some(place) = usize::try_from(ord).ok().and_then(|place| self.seen.get_mut(place)) {
            *place = seen;
        }
    }
}

/// What the order of hits is made of, in one segment.
struct Columns {
    id_high: Arc<dyn ColumnValues<u64>>,
    id_low: Arc<dyn ColumnValues<u64>>,
    price_min: tantivy::columnar::Column<i64>,
    price_max: tantivy::columnar::Column<i64>,
    in_stock: Arc<dyn ColumnValues<bool>>,
    popularity: Arc<dyn ColumnValues<f64>>,
}

impl Columns {
    fn open(segment: &SegmentReader) -> Result<Self, SearchError> {
        let columns = segment.fast_fields();
        Ok(Self {
            id_high: columns.column_first_or_default(column::ID_HIGH)?,
            id_low: columns.column_first_or_default(column::ID_LOW)?,
            price_min: columns.i64(column::PRICE_MIN)?,
            price_max: columns.i64(column::PRICE_MAX)?,
            in_stock: columns.column_first_or_default(column::IN_STOCK)?,
            popularity: columns.column_first_or_default(column::POPULARITY)?,
        })
    }

    /// How well a text matches, with what the shop knows: a little more for what is sought after, half for what cannot
    /// be had.
    fn adjust(&self, score: f32, doc: u32) -> f32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a factor near one, exact enough in f32"
        )]
        let popular = self.popularity.get_val(doc).ln_1p() as f32;
        let popular = 1.0 + (POPULARITY * popular).min(POPULARITY_MAX);
        let stock = if self.in_stock.get_val(doc) { 1.0 } else { OUT_OF_STOCK };
        score * popular * stock
    }

    fn rank(&self, sort: Sort, rung: u8, score: f32, doc: u32) -> Rank {
        // The bits of floats that are not negative are in the order of the floats.
        let key = match sort {
            Sort::Relevance => i64::from(score.max(0.0).to_bits()),
            Sort::PriceAscending => self.price_min.first(doc).map_or(i64::MIN, i64::saturating_neg),
            Sort::PriceDescending => self.price_max.first(doc).unwrap_or(i64::MIN),
            Sort::Newest => 0,
            Sort::Popularity => {
                i64::try_from(self.popularity.get_val(doc).max(0.0).to_bits()).unwrap_or(i64::MAX)
            }
        };
        let product_id = Uuid::from_u64_pair(self.id_high.get_val(doc), self.id_low.get_val(doc));
        Rank { rung, key, product_id }
    }
}
