//! Searching, from an exact match of the query to a relaxed one.

use tantivy::{DocAddress, Searcher, TantivyDocument, query::AllQuery, schema::Value as _};

use super::{
    collector::{Candidate, HitCollector, level_of},
    cursor,
    dictionary::TermDictionaries,
    document::StoredHit,
    facets::FacetCounts,
    filter::resolve_brands,
    highlight::{highlight, is_correction, matched_text},
    intent::wanted_products,
    open::Index,
    query::{Hit, LIMIT_MAX, Match, Query, Results, SearchError, Sort},
    query_builder::{QueryBuilder, RelaxationLevel},
    query_parser::{ParsedQuery, parse, parse_tolerantly},
};
use crate::text::fold;

/// With fewer matches than this, the search is relaxed to fill the first page.
const ENOUGH_MATCHES: u64 = 10;

/// The levels after [`RelaxationLevel::Exact`], with their numbers in the rank of a hit.
const RELAXED: [(u8, RelaxationLevel); 4] = [
    (1, RelaxationLevel::Tolerant),
    (2, RelaxationLevel::Apart),
    (3, RelaxationLevel::HalfOfWords),
    (4, RelaxationLevel::AnyWord),
];

/// How a hit of a level matches the query.
fn match_of(level: u8) -> Match {
    match level {
        0 => Match::Exact,
        1 => Match::Corrected,
        _ => Match::Guess,
    }
}

impl Index {
    /// Runs a search; it is deterministic for the same documents.
    ///
    /// First every word must match as typed, then as typed or corrected, then the parts of each Chinese word
    /// in any places, then half of the words, then one word. The hits of a level follow those of the stricter
    /// levels; within a level, the products of the category that the query names come first. Whether the
    /// search is relaxed depends on the text query alone, not on the filters. When the hits are not sorted by
    /// relevance, the first level with a match is the last, because hits of different quality cannot be sorted
    /// by price. A text without a word matches nothing.
    pub fn search(&self, query: &Query) -> Result<Results, SearchError> {
        let searcher = self.searcher();
        let after =
            query.cursor.as_deref().map(|cursor| cursor::decode(query, cursor)).transpose()?;
        let limit = query.limit.min(LIMIT_MAX);
        let brands = resolve_brands(&searcher, &query.brands)?;
        let filtered = Query { brands, ..query.clone() };
        let mut collector = HitCollector::new(&searcher, &filtered, after, limit + 1);
        let mut parsed = parse(&query.q);
        let mut best_match = Match::Nothing;
        if parsed.is_blank {
            best_match = Match::Browse;
            collector.collect(&AllQuery, 0)?;
        } else if parsed.words.is_empty() {
            best_match = Match::NotUnderstood;
        } else {
            let builder = QueryBuilder { searcher: &searcher, fields: &self.fields };
            if query.sort == Sort::Relevance
                && let Some(wanted) = wanted_products(&searcher, &self.fields, &query.q)?
            {
                collector.prefer(&wanted.term, wanted.preference)?;
            }
            if let Some(exact) = builder.query(&parsed, RelaxationLevel::Exact)? {
                collector.collect(exact.as_ref(), 0)?;
            }
            if collector.matched > 0 {
                best_match = Match::Exact;
            }
            // A SKU or barcode names its product; similar ones are no better guess.
            let relaxed: &[_] = if builder.is_code(&parsed)? { &[] } else { &RELAXED[..] };
            for (number, level) in relaxed.iter().copied() {
                let fills_page = query.sort == Sort::Relevance && level != RelaxationLevel::AnyWord;
                let enough = if fills_page { ENOUGH_MATCHES } else { 1 };
                if collector.matched >= enough {
                    break;
                }
                if level == RelaxationLevel::Tolerant {
                    parsed = self.parse_tolerantly(&searcher, &query.q)?;
                }
                if level == RelaxationLevel::Apart && !parsed.has_parts() {
                    continue;
                }
                if let Some(relaxed) = builder.query(&parsed, level)? {
                    collector.collect(relaxed.as_ref(), number)?;
                }
                if best_match == Match::Nothing && collector.matched > 0 {
                    best_match = match_of(number);
                }
            }
        }
        let total = collector.total;
        let (mut best, counters) = collector.finish();
        let next_cursor = (best.len() > limit && limit > 0)
            .then(|| best.get(limit - 1).map(|last| cursor::encode(query, &last.rank)))
            .flatten();
        best.truncate(limit);
        let FacetCounts { facets, price_range } = counters.finish();
        let items = self.hits(&searcher, &best, &parsed)?;
        let did_you_mean = match best_match {
            Match::Corrected | Match::Guess => self.did_you_mean(&searcher, &parsed, &items)?,
            Match::Browse | Match::Exact | Match::Nothing | Match::NotUnderstood => None,
        };
        Ok(Results { items, total, best_match, facets, price_range, next_cursor, did_you_mean })
    }

    fn parse_tolerantly(&self, searcher: &Searcher, q: &str) -> Result<ParsedQuery, SearchError> {
        parse_tolerantly(q, &TermDictionaries::new(searcher, &self.fields))
    }

    fn hits(
        &self,
        searcher: &Searcher,
        candidates: &[Candidate],
        parsed: &ParsedQuery,
    ) -> Result<Vec<Hit>, SearchError> {
        candidates
            .iter()
            .map(|candidate| {
                let stored = self.stored_hit(searcher, candidate.address)?;
                Ok(Hit {
                    product_id: stored.product_id,
                    highlight: highlight(&stored.title, &parsed.words),
                    title: stored.title,
                    price_min: stored.price_min,
                    price_max: stored.price_max,
                    in_stock: stored.in_stock,
                    version: stored.version,
                    score: candidate.score,
                    matched: if parsed.is_blank {
                        Match::Browse
                    } else {
                        match_of(level_of(&candidate.rank))
                    },
                    brand: stored.brand,
                    category: stored.category,
                })
            })
            .collect()
    }

    pub(crate) fn stored_hit(
        &self,
        searcher: &Searcher,
        address: DocAddress,
    ) -> Result<StoredHit, SearchError> {
        let document: TantivyDocument = searcher.doc(address)?;
        let json = document.get_first(self.fields.stored_hit).and_then(|value| value.as_bytes());
        serde_json::from_slice(json.unwrap_or_default()).map_err(SearchError::Decode)
    }

    /// The query with every unknown word corrected by a word of the hits. `None` where no word is unknown, or
    /// where an unknown word has no correction.
    fn did_you_mean(
        &self,
        searcher: &Searcher,
        parsed: &ParsedQuery,
        hits: &[Hit],
    ) -> Result<Option<String>, SearchError> {
        let builder = QueryBuilder { searcher, fields: &self.fields };
        let known =
            parsed.words.iter().map(|word| Ok(word.is_stop_word || builder.is_known(word)?));
        let known = known.collect::<Result<Vec<bool>, SearchError>>()?;
        let mut corrected = String::new();
        let mut changed = false;
        let mut index = 0;
        while let Some(word) = parsed.words.get(index) {
            if word.after_space && !corrected.is_empty() {
                corrected.push(' ');
            }
            let correction = word
                .tolerant
                .iter()
                .filter(|alternative| {
                    is_correction(alternative) && alternative.covers.start == index
                })
                .filter(|alternative| known[alternative.covers.clone()].contains(&false))
                .find_map(|alternative| {
                    let text = hits.iter().find_map(|hit| matched_text(&hit.title, alternative))?;
                    Some((text, alternative.covers.end))
                });
            if let Some((text, end)) = correction {
                corrected.push_str(&fold(&text));
                changed = true;
                index = end;
            } else if known[index] {
                corrected.push_str(&word.typed);
                index += 1;
            } else {
                return Ok(None);
            }
        }
        Ok(changed.then_some(corrected))
    }
}
