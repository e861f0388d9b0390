//! Searching, from an exact match of the query to a relaxed one.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use tantivy::{DocAddress, Searcher, TantivyDocument, query::AllQuery, schema::Value as _};

use super::{
    collector::{Candidate, HitCollector, PINNED_LEVEL, Rank, ScoreFactors, level_of},
    cursor,
    dictionary::TermDictionaries,
    document::{PriceBounds, StoredHit},
    explain::{match_level, matched_alternatives, matched_by},
    facets::FacetCounts,
    filter::resolve_brands,
    highlight::{AnalysedTitle, highlight, is_correction},
    intent::wanted_products,
    open::Index,
    page::{Page, PageStart, fill_page},
    query::{
        AppliedRule, Explanation, Hit, LIMIT_MAX, Match, Query, Results, SearchError, Sort,
        WordMatch,
    },
    query_builder::{QueryBuilder, RelaxationLevel},
    query_parser::{Alternative, ParsedQuery, SynonymTable, add_synonyms, parse, parse_tolerantly},
    segment_rules::scaling_rules,
    settings::SearchSettings,
};
use crate::{
    domain::{Pin, Rule, RuleEffect, place_pins},
    text::fold,
};

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
        PINNED_LEVEL => Match::Pinned,
        _ => Match::Guess,
    }
}

/// What explains the hits of a page.
struct PageContext<'a> {
    searcher: &'a Searcher,
    query: &'a Query,
    parsed: &'a ParsedQuery,
    rules: &'a [&'a Rule],
    pins: &'a [(Pin, Candidate)],
    /// Whether the query names a category.
    has_wanted: bool,
}

impl Index {
    /// Runs a search without synonyms and rules; see [`search_with`](Self::search_with).
    pub fn search(&self, query: &Query) -> Result<Results, SearchError> {
        self.search_with(query, &SearchSettings::default(), DateTime::UNIX_EPOCH)
    }

    /// Runs a search at the time `now`; it is deterministic for the same documents and settings.
    ///
    /// First every word must match as typed, then as typed or corrected, then the parts of each Chinese word
    /// in any places, then half of the words, then one word. The hits of a level follow those of the stricter
    /// levels; within a level, the products of the category that the query names come first. Whether the
    /// search is relaxed depends on the text query alone, not on the filters. When the hits are not sorted by
    /// relevance, the first level with a match is the last, because hits of different quality cannot be sorted
    /// by price. Prices are those in the currency of the query. A text without a word matches nothing.
    ///
    /// Synonyms match like the typed words. Hidden products do not exist. Pinned products and factors change the
    /// order by relevance only. All pages of a search apply the settings of its first page.
    pub fn search_with(
        &self,
        query: &Query,
        settings: &SearchSettings,
        now: DateTime<Utc>,
    ) -> Result<Results, SearchError> {
        let searcher = self.searcher();
        let start =
            query.cursor.as_deref().map(|cursor| cursor::decode(query, cursor)).transpose()?;
        let moment = settings.moment(start.as_ref().map(|start| start.moment), now);
        let start = start.unwrap_or(PageStart::first(moment));
        let synonyms = settings.synonyms(moment);
        let rules = settings.rules(moment, query);
        let limit = query.limit.min(LIMIT_MAX);
        let brands = resolve_brands(&searcher, &query.brands)?;
        let filtered = Query { brands, ..query.clone() };
        let is_shown = |rank: &Rank| start.is_before(rank, query.sort);
        let mut collector = HitCollector::new(&searcher, &filtered, Some(&is_shown), limit + 1);
        let is_ranked = query.sort == Sort::Relevance;
        let pins = if is_ranked { place_pins(rules.iter().copied()) } else { Vec::new() };
        collector.apply_rules(&self.fields, &rules, pins)?;
        let mut parsed = parse(&query.q);
        add_synonyms(&query.q, synonyms, &mut parsed);
        let mut best_match = Match::Nothing;
        let mut has_wanted = false;
        if parsed.is_blank {
            best_match = Match::Browse;
            collector.collect(&AllQuery, 0)?;
        } else if parsed.words.is_empty() {
            best_match = Match::NotUnderstood;
        } else {
            if is_ranked
                && let Some(wanted) = wanted_products(&searcher, &self.fields, &query.q, synonyms)?
            {
                has_wanted = true;
                collector.prefer(&wanted.term, wanted.preference)?;
            }
            if let Some(level) =
                self.collect_levels(&mut collector, query, &mut parsed, synonyms)?
            {
                best_match = match_of(level);
            }
        }
        if best_match != Match::NotUnderstood {
            collector.add_pinned()?;
        }
        let total = collector.total;
        let (ranked, pins, counters) = collector.finish();
        let pinned = pins.iter().map(|(pin, hit)| (pin.place, *hit)).collect();
        let Page { hits, next } = fill_page(ranked, pinned, start, query.sort, limit);
        let next_cursor = next.map(|next| cursor::encode(query, &next));
        let FacetCounts { facets, number_ranges, price_range } = counters.finish();
        let (rules, pins) = (rules.as_slice(), pins.as_slice());
        let context =
            PageContext { searcher: &searcher, query, parsed: &parsed, rules, pins, has_wanted };
        let items = self.hits(&context, &hits)?;
        if best_match == Match::Nothing && total > 0 {
            best_match = Match::Pinned;
        }
        let did_you_mean = match best_match {
            Match::Corrected | Match::Guess => self.did_you_mean(&searcher, &parsed, &items)?,
            Match::Browse
            | Match::Exact
            | Match::Pinned
            | Match::Nothing
            | Match::NotUnderstood => None,
        };
        Ok(Results {
            items,
            total,
            best_match,
            facets,
            number_ranges,
            price_range,
            next_cursor,
            did_you_mean,
        })
    }

    /// Collects the hits level by level; returns the first level with a match. `parsed` gets the tolerant
    /// alternatives where the search is relaxed.
    pub(crate) fn collect_levels(
        &self,
        collector: &mut HitCollector<'_>,
        query: &Query,
        parsed: &mut ParsedQuery,
        synonyms: &SynonymTable,
    ) -> Result<Option<u8>, SearchError> {
        let searcher = collector.searcher();
        let builder = QueryBuilder { searcher, fields: &self.fields };
        let mut first = None;
        if let Some(exact) = builder.query(parsed, RelaxationLevel::Exact)? {
            collector.collect(exact.as_ref(), 0)?;
        }
        if collector.matched > 0 {
            first = Some(0);
        }
        // A SKU or barcode names its product; similar ones are no better guess.
        let relaxed: &[_] = if builder.is_code(parsed)? { &[] } else { &RELAXED[..] };
        for (number, level) in relaxed.iter().copied() {
            let fills_page = query.sort == Sort::Relevance && level != RelaxationLevel::AnyWord;
            let enough = if fills_page { ENOUGH_MATCHES } else { 1 };
            if collector.matched >= enough {
                break;
            }
            if level == RelaxationLevel::Tolerant {
                *parsed = self.parse_tolerantly(searcher, &query.q)?;
                add_synonyms(&query.q, synonyms, parsed);
            }
            if level == RelaxationLevel::Apart && !parsed.has_parts() {
                continue;
            }
            if let Some(relaxed) = builder.query(parsed, level)? {
                collector.collect(relaxed.as_ref(), number)?;
            }
            if first.is_none() && collector.matched > 0 {
                first = Some(number);
            }
        }
        Ok(first)
    }

    fn parse_tolerantly(&self, searcher: &Searcher, q: &str) -> Result<ParsedQuery, SearchError> {
        parse_tolerantly(q, &TermDictionaries::new(searcher, &self.fields))
    }

    fn hits(
        &self,
        context: &PageContext<'_>,
        candidates: &[Candidate],
    ) -> Result<Vec<Hit>, SearchError> {
        let PageContext { searcher, query, parsed, .. } = *context;
        let matched = if query.explain {
            let builder = QueryBuilder { searcher, fields: &self.fields };
            matched_alternatives(searcher, &builder, parsed, candidates)?
        } else {
            Vec::new()
        };
        let hit = |(index, candidate): (usize, &Candidate)| {
            let stored = self.stored_hit(searcher, candidate.address)?;
            let explanation = match matched.get(index) {
                Some(words) => Some(explain(context, candidate, words, &stored)?),
                None => None,
            };
            let prices = stored.prices_in(query.currency);
            let is_browsed = parsed.is_blank && level_of(&candidate.rank) != PINNED_LEVEL;
            Ok(Hit {
                product_id: stored.product_id,
                highlight: highlight(&stored.title, &parsed.words),
                title: stored.title,
                price_min: prices.map(PriceBounds::lowest),
                price_max: prices.map(PriceBounds::highest),
                in_stock: stored.in_stock,
                version: stored.version,
                score: candidate.factors.score(),
                matched: if is_browsed {
                    Match::Browse
                } else {
                    match_of(level_of(&candidate.rank))
                },
                brand: stored.brand,
                category: stored.category,
                explanation,
            })
        };
        candidates.iter().enumerate().map(hit).collect()
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
        let titles: Vec<AnalysedTitle<'_>> =
            hits.iter().map(|hit| AnalysedTitle::new(&hit.title)).collect();
        let mut corrected = String::new();
        let mut changed = false;
        let mut index = 0;
        while let Some(word) = parsed.words.get(index) {
            if word.after_space && !corrected.is_empty() {
                corrected.push(' ');
            }
            let corrects = |alternative: &&Alternative| {
                is_correction(alternative)
                    && alternative.covers.start == index
                    && known[alternative.covers.clone()].contains(&false)
            };
            let mut corrections: Vec<&Alternative> =
                word.tolerant.iter().filter(corrects).collect();
            // A correction of several words together knows more of what was meant. The sort is stable, so of
            // these the likeliest comes first.
            corrections.sort_by_key(|alternative| Reverse(alternative.covers.end));
            let correction = corrections.into_iter().find_map(|alternative| {
                let text = titles.iter().find_map(|title| title.matched_text(alternative))?;
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

/// Why a hit stands where it stands. `words` are the matched alternatives of the words of the query.
fn explain(
    context: &PageContext<'_>,
    hit: &Candidate,
    words: &[Option<&Alternative>],
    stored: &StoredHit,
) -> Result<Explanation, SearchError> {
    let ScoreFactors { text, category, popularity, stock, rules } = hit.factors;
    let title = AnalysedTitle::new(&stored.title);
    let word = |(typed, alternative): (&String, Option<&Alternative>)| WordMatch {
        word: typed.clone(),
        by: alternative.map(|alternative| matched_by(alternative.kind)),
        text: alternative.and_then(|alternative| title.matched_text(alternative)),
    };
    let typed = context.parsed.words.iter().map(|word| &word.typed);
    let pin = context.pins.iter().find(|(_, pinned)| pinned.address == hit.address);
    let mut applied: Vec<AppliedRule> = pin
        .map(|(pin, _)| AppliedRule {
            rule_id: pin.rule.as_uuid(),
            effect: RuleEffect::Pin { position: pin.place.saturating_add(1) },
        })
        .into_iter()
        .collect();
    if context.query.sort == Sort::Relevance {
        let segment = context.searcher.segment_reader(hit.address.segment_ord);
        let (product, doc) = (stored.product_id, hit.address.doc_id);
        let scaling = scaling_rules(segment, context.rules, product, doc)?.into_iter();
        applied.extend(
            scaling.map(|rule| AppliedRule { rule_id: rule.id.as_uuid(), effect: rule.effect }),
        );
    }
    Ok(Explanation {
        level: match_level(hit, context.parsed),
        wanted_category: context.has_wanted.then_some(hit.is_preferred),
        words: typed.zip(words.iter().copied()).map(word).collect(),
        score: hit.factors.score(),
        text,
        category,
        popularity,
        stock,
        rules,
        applied_rules: applied,
    })
}
