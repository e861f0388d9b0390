//! Says for each hit by what it contains the words of the query.

use std::collections::BTreeMap;

use tantivy::{
    DocSet as _, Searcher, TERMINATED,
    query::{EnableScoring, Query as _},
};

use super::{
    collector::{Candidate, PINNED_LEVEL, level_of},
    query::{MatchLevel, MatchedBy, SearchError},
    query_builder::QueryBuilder,
    query_parser::{Alternative, MatchKind, ParsedQuery, QueryWord},
};

/// The level of a hit.
pub(crate) fn match_level(hit: &Candidate, parsed: &ParsedQuery) -> MatchLevel {
    match level_of(&hit.rank) {
        PINNED_LEVEL => MatchLevel::Pinned,
        _ if parsed.is_blank => MatchLevel::Browse,
        0 => MatchLevel::Exact,
        1 => MatchLevel::Corrected,
        2 => MatchLevel::Apart,
        3 => MatchLevel::HalfOfWords,
        _ => MatchLevel::AnyWord,
    }
}

/// For each hit and each word of the query the best alternative that the hit contains.
pub(crate) fn matched_alternatives<'a>(
    searcher: &Searcher,
    builder: &QueryBuilder<'_>,
    parsed: &'a ParsedQuery,
    hits: &[Candidate],
) -> Result<Vec<Vec<Option<&'a Alternative>>>, SearchError> {
    let mut found: Vec<Vec<Option<&Alternative>>> =
        vec![vec![None; parsed.words.len()]; hits.len()];
    for (index, word) in parsed.words.iter().enumerate() {
        for (level, alternative) in alternatives(word) {
            let open: Vec<usize> = (0..hits.len())
                .filter(|hit| found[*hit][index].is_none() && level_of(&hits[*hit].rank) >= level)
                .collect();
            if open.is_empty() {
                continue;
            }
            for hit in containing(searcher, builder, alternative, hits, &open)? {
                found[hit][index] = Some(alternative);
            }
        }
    }
    Ok(found)
}

/// The alternatives of a word with the first level that tries them, the best first.
fn alternatives(word: &QueryWord) -> Vec<(u8, &Alternative)> {
    let exact = word.exact.iter().map(|alternative| (0, alternative));
    let tolerant = word.tolerant.iter().map(|alternative| (1, alternative));
    let apart = word.apart.iter().map(|alternative| (2, alternative));
    let mut found: Vec<(u8, &Alternative)> = exact.chain(tolerant).chain(apart).collect();
    found.sort_by(|(a_level, a), (b_level, b)| {
        a_level.cmp(b_level).then_with(|| b.weight.total_cmp(&a.weight))
    });
    found
}

/// Those of the `open` hits that contain an alternative.
fn containing(
    searcher: &Searcher,
    builder: &QueryBuilder<'_>,
    alternative: &Alternative,
    hits: &[Candidate],
    open: &[usize],
) -> Result<Vec<usize>, SearchError> {
    let Some(query) = builder.pattern(&alternative.pattern)? else { return Ok(Vec::new()) };
    let weight = query.weight(EnableScoring::enabled_from_searcher(searcher))?;
    let mut by_segment: BTreeMap<u32, Vec<(u32, usize)>> = BTreeMap::new();
    for hit in open {
        let address = hits[*hit].address;
        by_segment.entry(address.segment_ord).or_default().push((address.doc_id, *hit));
    }
    let mut found = Vec::new();
    for (segment, mut documents) in by_segment {
        documents.sort_unstable();
        let mut scorer = weight.scorer(searcher.segment_reader(segment), 1.0)?;
        for (doc, hit) in documents {
            if scorer.doc() < doc {
                scorer.seek(doc);
            }
            if scorer.doc() == TERMINATED {
                break;
            }
            if scorer.doc() == doc {
                found.push(hit);
            }
        }
    }
    Ok(found)
}

/// What a kind of match is called.
pub(crate) fn matched_by(kind: MatchKind) -> MatchedBy {
    match kind {
        MatchKind::Exact => MatchedBy::Typed,
        MatchKind::BrandName => MatchedBy::BrandName,
        MatchKind::Synonym => MatchedBy::Synonym,
        MatchKind::Prefix => MatchedBy::Completed,
        MatchKind::Typo => MatchedBy::Corrected,
        MatchKind::Phonetic => MatchedBy::Pinyin,
        MatchKind::Apart => MatchedBy::Parts,
    }
}
