//! Collects the matching documents: filters them, counts facets and keeps the best hits.

use std::{cmp::Ordering, collections::BinaryHeap, sync::Arc};

use tantivy::{
    BitSet, DocAddress, DocSet as _, Searcher, SegmentReader, TERMINATED, Term,
    columnar::{Column, ColumnValues},
    query::{EnableScoring, Query as TantivyQuery},
    schema::IndexRecordOption,
};
use uuid::Uuid;
use vocabulary::Currency;

use super::{
    facets::FacetCounters,
    filter::{FilterOutcome, Filters},
    query::{Query, SearchError, Sort},
    schema::{Fields, column, prices_in},
    segment_rules::SegmentRules,
};
use crate::domain::{Pin, Rule};

/// The share that popularity adds to a score, per e-fold.
const POPULARITY: f32 = 0.08;
/// The largest share that popularity adds.
const POPULARITY_MAX: f32 = 1.0;
/// The factor for the score of a product that is out of stock.
const OUT_OF_STOCK: f32 = 0.5;

/// The sort key of a hit. The smaller rank comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rank {
    /// The relaxation level of the match; stricter matches come first. Made by [`level_rank`].
    pub(crate) level: u8,
    /// The greatest first.
    pub(crate) key: i64,
    /// The latest first.
    pub(crate) product_id: Uuid,
}

/// The relaxation level of a pinned product that does not match the query.
pub(crate) const PINNED_LEVEL: u8 = 100;

/// The rank of a relaxation level. Within a level, preferred products come first.
fn level_rank(level: u8, is_preferred: bool) -> u8 {
    level.saturating_mul(2) + u8::from(!is_preferred)
}

/// The relaxation level of a rank.
pub(crate) fn level_of(rank: &Rank) -> u8 {
    rank.level / 2
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        self.level
            .cmp(&other.level)
            .then_with(|| other.key.cmp(&self.key))
            .then_with(|| other.product_id.cmp(&self.product_id))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What it means for a document to be preferred.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Preference {
    /// It comes before all others of its level.
    First,
    /// Its score is multiplied.
    Factor(f32),
}

/// A hit before its stored fields are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) rank: Rank,
    pub(crate) factors: ScoreFactors,
    /// Whether the product is preferred; true where none is.
    pub(crate) is_preferred: bool,
    pub(crate) address: DocAddress,
}

/// What a score consists of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ScoreFactors {
    /// The score of the text.
    pub(crate) text: f32,
    /// Of the products that the query is after, where they do not come first anyway.
    pub(crate) category: f32,
    pub(crate) popularity: f32,
    pub(crate) stock: f32,
    pub(crate) rules: f32,
}

impl ScoreFactors {
    pub(crate) fn score(self) -> f32 {
        self.text * self.category * self.popularity * self.stock * self.rules
    }
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

/// Collects the hits of one or more Tantivy queries. A document counts for the first query that matches it.
pub(crate) struct HitCollector<'a> {
    searcher: &'a Searcher,
    query: &'a Query,
    is_shown: Option<&'a dyn Fn(&Rank) -> bool>,
    keep: usize,
    seen: Vec<BitSet>,
    /// The preferred documents of each segment; empty where none are preferred.
    preferred: Vec<Arc<BitSet>>,
    preference: Preference,
    /// What the rules do with the documents of each segment.
    rules: Vec<Arc<SegmentRules>>,
    pins: Vec<Pin>,
    /// The hits of the pins.
    pinned: Vec<Option<Candidate>>,
    best: BinaryHeap<Candidate>,
    counters: FacetCounters,
    /// The queries so far, where they are recorded.
    recorded: Option<Vec<Box<dyn TantivyQuery>>>,
    /// The number of matching documents, ignoring the filters.
    pub(crate) matched: u64,
    /// The number of matching documents that pass the filters.
    pub(crate) total: u64,
}

impl<'a> HitCollector<'a> {
    /// Keeps the `keep` best hits of those that earlier pages have not shown.
    pub(crate) fn new(
        searcher: &'a Searcher,
        query: &'a Query,
        is_shown: Option<&'a dyn Fn(&Rank) -> bool>,
        keep: usize,
    ) -> Self {
        let segments = searcher.segment_readers().iter();
        Self {
            searcher,
            query,
            is_shown,
            keep,
            seen: segments.map(|segment| BitSet::with_max_value(segment.max_doc())).collect(),
            preferred: Vec::new(),
            preference: Preference::First,
            rules: Vec::new(),
            pins: Vec::new(),
            pinned: Vec::new(),
            best: BinaryHeap::new(),
            counters: FacetCounters::new(query),
            recorded: None,
            matched: 0,
            total: 0,
        }
    }

    pub(crate) fn searcher(&self) -> &'a Searcher {
        self.searcher
    }

    /// Records the queries from now on.
    pub(crate) fn record_queries(&mut self) {
        self.recorded = Some(Vec::new());
    }

    /// The recorded queries.
    pub(crate) fn recorded_queries(self) -> Vec<Box<dyn TantivyQuery>> {
        self.recorded.unwrap_or_default()
    }

    /// Applies rules, with the places of their pins.
    pub(crate) fn apply_rules(
        &mut self,
        fields: &Fields,
        rules: &[&Rule],
        pins: Vec<Pin>,
    ) -> Result<(), SearchError> {
        if rules.is_empty() {
            return Ok(());
        }
        for segment in self.searcher.segment_readers() {
            self.rules.push(Arc::new(SegmentRules::open(segment, fields.id, rules, &pins)?));
        }
        self.pinned = vec![None; pins.len()];
        self.pins = pins;
        Ok(())
    }

    /// Prefers the documents with this term to the others of their level.
    pub(crate) fn prefer(
        &mut self,
        term: &Term,
        preference: Preference,
    ) -> Result<(), SearchError> {
        self.preference = preference;
        for segment in self.searcher.segment_readers() {
            let mut documents = BitSet::with_max_value(segment.max_doc());
            let index = segment.inverted_index(term.field())?;
            if let Some(mut postings) = index.read_postings(term, IndexRecordOption::Basic)? {
                while postings.doc() != TERMINATED {
                    documents.insert(postings.doc());
                    postings.advance();
                }
            }
            self.preferred.push(Arc::new(documents));
        }
        Ok(())
    }

    /// Collects the matches of a query that no earlier query matched.
    pub(crate) fn collect(
        &mut self,
        tantivy_query: &dyn TantivyQuery,
        level: u8,
    ) -> Result<(), SearchError> {
        if let Some(recorded) = &mut self.recorded {
            recorded.push(tantivy_query.box_clone());
        }
        let searcher = self.searcher;
        let weight = tantivy_query.weight(EnableScoring::enabled_from_searcher(searcher))?;
        for (ord, segment) in (0_u32..).zip(searcher.segment_readers()) {
            let filters = Filters::new(self.query, segment)?;
            let columns = RankColumns::open(segment, self.query.currency)?;
            let mut counters = self.counters.open(segment)?;
            let alive = segment.alive_bitset();
            let preferred = usize::try_from(ord).ok().and_then(|ord| self.preferred.get(ord));
            let preferred = preferred.cloned();
            let rules = self.segment_rules(ord);
            let mut seen = self.take_seen(ord);
            weight.for_each(segment, &mut |doc, score| {
                if alive.is_some_and(|alive| !alive.is_alive(doc)) || seen.contains(doc) {
                    return;
                }
                seen.insert(doc);
                if rules.hides(doc) {
                    return;
                }
                self.matched += 1;
                let outcome = filters.check(doc);
                counters.count(doc, outcome);
                if outcome == FilterOutcome::Pass {
                    self.total += 1;
                    let is_preferred = preferred.as_ref().is_none_or(|all| all.contains(doc));
                    let mut factors = columns.factors(score, rules.factor(doc), doc);
                    let first = match self.preference {
                        Preference::First => is_preferred,
                        Preference::Factor(factor) => {
                            factors.category = if is_preferred { factor } else { 1.0 };
                            true
                        }
                    };
                    let level = level_rank(level, first);
                    let rank = columns.rank(self.query.sort, level, factors.score(), doc);
                    let address = DocAddress::new(ord, doc);
                    let hit = Candidate { rank, factors, is_preferred, address };
                    match rules.pin(doc).and_then(|pin| self.pinned.get_mut(pin)) {
                        Some(pinned) => *pinned = Some(hit),
                        None => self.offer(hit),
                    }
                }
            })?;
            self.put_seen(ord, seen);
            self.counters.add(counters)?;
        }
        Ok(())
    }

    /// Adds the pinned documents that no query matched, if their rule is for this query. They pass the filters and count
    /// like the others.
    pub(crate) fn add_pinned(&mut self) -> Result<(), SearchError> {
        let searcher = self.searcher;
        for (ord, segment) in (0_u32..).zip(searcher.segment_readers()) {
            let rules = self.segment_rules(ord);
            let seen = self.take_seen(ord);
            let is_added = |(doc, pin): &(u32, usize)| {
                let is_added = self.pins.get(*pin).is_some_and(|pin| pin.is_added);
                is_added && !seen.contains(*doc) && !rules.hides(*doc)
            };
            let added: Vec<(u32, usize)> = rules.pinned().filter(is_added).collect();
            if added.is_empty() {
                self.put_seen(ord, seen);
                continue;
            }
            let filters = Filters::new(self.query, segment)?;
            let columns = RankColumns::open(segment, self.query.currency)?;
            let preferred = usize::try_from(ord).ok().and_then(|ord| self.preferred.get(ord));
            let preferred = preferred.cloned();
            let is_preferred = |doc: u32| preferred.as_ref().is_none_or(|all| all.contains(doc));
            let mut counters = self.counters.open(segment)?;
            for (doc, pin) in added {
                let outcome = filters.check(doc);
                counters.count(doc, outcome);
                if outcome == FilterOutcome::Pass {
                    self.total += 1;
                    let factors = columns.factors(0.0, rules.factor(doc), doc);
                    let level = level_rank(PINNED_LEVEL, true);
                    let rank = columns.rank(self.query.sort, level, factors.score(), doc);
                    let address = DocAddress::new(ord, doc);
                    if let Some(pinned) = self.pinned.get_mut(pin) {
                        let is_preferred = is_preferred(doc);
                        *pinned = Some(Candidate { rank, factors, is_preferred, address });
                    }
                }
            }
            self.put_seen(ord, seen);
            self.counters.add(counters)?;
        }
        Ok(())
    }

    /// The best hits in order, the pinned ones with their pins, and the facet counters.
    pub(crate) fn finish(self) -> (Vec<Candidate>, Vec<(Pin, Candidate)>, FacetCounters) {
        let pinned = self.pins.into_iter().zip(self.pinned);
        let pinned = pinned.filter_map(|(pin, hit)| Some((pin, hit?))).collect();
        (self.best.into_sorted_vec(), pinned, self.counters)
    }

    fn segment_rules(&self, ord: u32) -> Arc<SegmentRules> {
        let ord = usize::try_from(ord).unwrap_or(usize::MAX);
        self.rules.get(ord).cloned().unwrap_or_default()
    }

    fn offer(&mut self, candidate: Candidate) {
        if self.is_shown.is_some_and(|is_shown| is_shown(&candidate.rank)) {
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
            .and_then(|ord| self.seen.get_mut(ord))
            .map_or_else(|| BitSet::with_max_value(0), |seen| std::mem::replace(seen, empty))
    }

    fn put_seen(&mut self, ord: u32, seen: BitSet) {
        if let Some(slot) = usize::try_from(ord).ok().and_then(|ord| self.seen.get_mut(ord)) {
            *slot = seen;
        }
    }
}

/// The columns of one segment that determine the order of hits.
struct RankColumns {
    id_high: Arc<dyn ColumnValues<u64>>,
    id_low: Arc<dyn ColumnValues<u64>>,
    /// The prices in the currency of the listing; `None` if no product of the segment has one.
    prices: Option<Column<i64>>,
    in_stock: Arc<dyn ColumnValues<bool>>,
    popularity: Arc<dyn ColumnValues<f64>>,
}

impl RankColumns {
    fn open(segment: &SegmentReader, currency: Currency) -> Result<Self, SearchError> {
        let columns = segment.fast_fields();
        Ok(Self {
            id_high: columns.column_first_or_default(column::ID_HIGH)?,
            id_low: columns.column_first_or_default(column::ID_LOW)?,
            prices: prices_in(segment, currency)?,
            in_stock: columns.column_first_or_default(column::IN_STOCK)?,
            popularity: columns.column_first_or_default(column::POPULARITY)?,
        })
    }

    fn prices(&self, doc: u32) -> impl Iterator<Item = i64> {
        self.prices.iter().flat_map(move |column| column.values_for_doc(doc))
    }

    /// Raises the score of popular products and halves it for products out of stock.
    fn factors(&self, text: f32, rules: f32, doc: u32) -> ScoreFactors {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a factor near one, exact enough in f32"
        )]
        let popular = self.popularity.get_val(doc).ln_1p() as f32;
        let popularity = 1.0 + (POPULARITY * popular).min(POPULARITY_MAX);
        let stock = if self.in_stock.get_val(doc) { 1.0 } else { OUT_OF_STOCK };
        ScoreFactors { text, category: 1.0, popularity, stock, rules }
    }

    fn rank(&self, sort: Sort, level: u8, score: f32, doc: u32) -> Rank {
        // The bits of non-negative floats sort like the floats.
        let key = match sort {
            Sort::Relevance => i64::from(score.max(0.0).to_bits()),
            Sort::PriceAscending => self.prices(doc).min().map_or(i64::MIN, i64::saturating_neg),
            Sort::PriceDescending => self.prices(doc).max().unwrap_or(i64::MIN),
            Sort::Newest => 0,
            Sort::Popularity => {
                i64::try_from(self.popularity.get_val(doc).max(0.0).to_bits()).unwrap_or(i64::MAX)
            }
        };
        let product_id = Uuid::from_u64_pair(self.id_high.get_val(doc), self.id_low.get_val(doc));
        Rank { level, key, product_id }
    }
}
