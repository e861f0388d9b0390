//! Builds Tantivy queries from a parsed query.

use tantivy::{
    Searcher, Term,
    query::{
        BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, Occur, PhrasePrefixQuery,
        PhraseQuery, Query, TermQuery,
    },
    schema::{Field, IndexRecordOption},
};

use super::{
    query::SearchError,
    query_parser::{Alternative, MatchKind, ParsedQuery, Pattern, QueryWord, WORDS_MAX},
    schema::Fields,
};
use crate::text::{Syllable, edge_token, end_token};

// The boosts were tuned on judged queries over a real catalogue of electronics. Attributes there are numerous
// and mostly noise (a notebook lists everything it can connect to), so they only break ties.

// Boosts of a match by field.
const TITLE: f32 = 4.0;
/// Another spelling of a word of the title.
const SPELLINGS: f32 = 2.0;
const BRAND: f32 = 3.0;
const CATEGORY: f32 = 2.0;
const ATTRIBUTES: f32 = 0.2;
const DESCRIPTION: f32 = 0.3;
/// A Chinese substring of title, brand or category.
const CHARACTERS: f32 = 3.0;
/// The pinyin of such a substring.
const PINYIN: f32 = 3.0;
/// A phrase of the query in the title.
const PHRASE: f32 = 2.0;
/// A SKU or barcode outranks every other match.
const CODE: f32 = 100.0;
/// The share of the score that the fields next to the best one add.
const OTHER_FIELDS: f32 = 0.35;

/// How strictly the words of a query must match; each level includes the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RelaxationLevel {
    /// Every word as typed.
    Exact,
    /// Every word as typed or corrected.
    Tolerant,
    /// Every word, or the parts of a Chinese word in any places.
    Apart,
    /// Half of the words.
    HalfOfWords,
    /// One word.
    AnyWord,
}

/// Builds queries against one state of the index.
pub(crate) struct QueryBuilder<'a> {
    pub(crate) searcher: &'a Searcher,
    pub(crate) fields: &'a Fields,
}

impl QueryBuilder<'_> {
    /// The query for a level; `None` where nothing can match.
    pub(crate) fn query(
        &self,
        parsed: &ParsedQuery,
        level: RelaxationLevel,
    ) -> Result<Option<Box<dyn Query>>, SearchError> {
        let mut required: Vec<Box<dyn Query>> = Vec::new();
        let mut optional: Vec<Box<dyn Query>> = Vec::new();
        let mut missing = false;
        for word in &parsed.words {
            let query = self.word(word, level)?;
            match (query, word.is_stop_word) {
                (Some(query), false) => required.push(query),
                (Some(query), true) => optional.push(query),
                (None, false) => missing = true,
                (None, true) => {}
            }
        }
        let words = match level {
            RelaxationLevel::Exact | RelaxationLevel::Tolerant | RelaxationLevel::Apart => {
                if missing {
                    None
                } else {
                    all_of(required, optional)
                }
            }
            RelaxationLevel::HalfOfWords => share_of(required, optional, 2),
            RelaxationLevel::AnyWord => share_of(required, optional, WORDS_MAX),
        };
        let words = self.with_phrases(words, parsed)?;
        let code = self.code(&parsed.code)?;
        Ok(match (words, code) {
            (Some(words), Some(code)) => Some(Box::new(BooleanQuery::union(vec![words, code]))),
            (words, code) => words.or(code),
        })
    }

    /// Whether the query is the SKU or the barcode of a product.
    pub(crate) fn is_code(&self, parsed: &ParsedQuery) -> Result<bool, SearchError> {
        Ok(self.code(&parsed.code)?.is_some())
    }

    /// Whether any document contains the word as typed.
    pub(crate) fn is_known(&self, word: &QueryWord) -> Result<bool, SearchError> {
        let Some(query) = self.word(word, RelaxationLevel::Exact)? else { return Ok(false) };
        Ok(query.count(self.searcher)? > 0)
    }

    fn word(
        &self,
        word: &QueryWord,
        level: RelaxationLevel,
    ) -> Result<Option<Box<dyn Query>>, SearchError> {
        let (tolerant, apart): (&[Alternative], &[Alternative]) = match level {
            RelaxationLevel::Exact => (&[], &[]),
            RelaxationLevel::Tolerant => (&word.tolerant, &[]),
            RelaxationLevel::Apart | RelaxationLevel::HalfOfWords | RelaxationLevel::AnyWord => {
                (&word.tolerant, &word.apart)
            }
        };
        let found: Vec<&Alternative> = word.exact.iter().chain(tolerant).chain(apart).collect();
        let mut alternatives: Vec<Box<dyn Query>> = Vec::new();
        for (alternative, factor) in found.iter().zip(self.rarity_factors(&found)?) {
            if let Some(query) = self.pattern(&alternative.pattern)? {
                alternatives.push(boosted(query, alternative.weight * factor));
            }
        }
        Ok(match alternatives.len() {
            0 => None,
            1 => alternatives.pop(),
            _ => Some(Box::new(DisjunctionMaxQuery::new(alternatives))),
        })
    }

    /// Factors by which an alternative is worth no more for being rarer than the typed word, or, if that is unknown,
    /// than the most frequent alternative.
    ///
    /// BM25 values rare terms. Between different words of a query that is right, but a rare synonym or correction
    /// would rank before the word that it replaces.
    fn rarity_factors(&self, alternatives: &[&Alternative]) -> Result<Vec<f32>, SearchError> {
        if alternatives.len() < 2 {
            return Ok(vec![1.0; alternatives.len()]);
        }
        let rarities = alternatives.iter().map(|alternative| self.rarity(&alternative.pattern));
        let rarities = rarities.collect::<Result<Vec<Option<f32>>, SearchError>>()?;
        let typed = alternatives.iter().zip(&rarities);
        let typed = typed.filter(|(alternative, _)| alternative.kind == MatchKind::Exact);
        let typed = typed.filter_map(|(_, rarity)| *rarity).reduce(f32::min);
        let usual = typed.or_else(|| rarities.iter().copied().flatten().reduce(f32::min));
        let factor = |rarity: Option<f32>| match (usual, rarity) {
            (Some(usual), Some(rarity)) => (usual / rarity).min(1.0),
            _ => 1.0,
        };
        Ok(rarities.into_iter().map(factor).collect())
    }

    /// How rare a word or phrase is: the sum of the inverse document frequencies of its words, as BM25 has it. `None`
    /// where a word is unknown, and for Chinese: words of two and of four characters have no comparable sums.
    fn rarity(&self, pattern: &Pattern) -> Result<Option<f32>, SearchError> {
        let Fields { title, spellings, brand, category, attributes, .. } = *self.fields;
        let words = match pattern {
            Pattern::Word(word) => std::slice::from_ref(word),
            Pattern::Phrase(words) => words.as_slice(),
            Pattern::Characters { .. }
            | Pattern::Edge { .. }
            | Pattern::All(_)
            | Pattern::Pinyin(_)
            | Pattern::PinyinParts(_) => return Ok(None),
        };
        let mut sum = 0.0;
        for word in words {
            let mut count = 0;
            // A word counts in the first field that has it.
            for field in [title, spellings, brand, category, attributes] {
                if count == 0 {
                    count = self.searcher.doc_freq(&Term::from_field_text(field, word))?;
                }
            }
            if count == 0 {
                return Ok(None);
            }
            sum += inverse_frequency(count, self.searcher.num_docs());
        }
        Ok(Some(sum))
    }

    fn with_phrases(
        &self,
        words: Option<Box<dyn Query>>,
        parsed: &ParsedQuery,
    ) -> Result<Option<Box<dyn Query>>, SearchError> {
        let Some(words) = words else { return Ok(None) };
        let mut clauses = vec![(Occur::Must, words)];
        for phrase in &parsed.phrases {
            if let Some(query) = self.pattern(phrase)? {
                clauses.push((Occur::Should, boosted(query, PHRASE / TITLE)));
            }
        }
        Ok(Some(if clauses.len() == 1 {
            clauses.remove(0).1
        } else {
            Box::new(BooleanQuery::new(clauses))
        }))
    }

    fn code(&self, code: &str) -> Result<Option<Box<dyn Query>>, SearchError> {
        let term = Term::from_field_text(self.fields.sku, code);
        if code.is_empty() || self.searcher.doc_freq(&term)? == 0 {
            return Ok(None);
        }
        let query = Box::new(TermQuery::new(term, IndexRecordOption::Basic));
        Ok(Some(Box::new(ConstScoreQuery::new(query, CODE))))
    }

    /// The query for a pattern; `None` where a term is not in the dictionaries.
    pub(crate) fn pattern(&self, pattern: &Pattern) -> Result<Option<Box<dyn Query>>, SearchError> {
        match pattern {
            Pattern::Word(word) => self.term(word),
            Pattern::Phrase(words) => {
                let terms: Vec<(usize, String)> = words.iter().cloned().enumerate().collect();
                let title = self.phrase(self.fields.title, terms.clone())?;
                let spelled = self.phrase(self.fields.spellings, terms)?;
                Ok(best_of(
                    title.map(|query| boosted(query, TITLE)),
                    spelled.map(|query| boosted(query, SPELLINGS)),
                ))
            }
            Pattern::Characters { positions, .. } => Ok(self
                .phrase(self.fields.characters, character_terms(positions))?
                .map(|query| boosted(query, CHARACTERS))),
            Pattern::Edge { character, end } => {
                let token = if *end { end_token(*character) } else { edge_token(*character) };
                let query = self.phrase(self.fields.characters, vec![(0, token)])?;
                Ok(query.map(|query| boosted(query, CHARACTERS)))
            }
            Pattern::All(patterns) => {
                let all: Option<Vec<_>> =
                    patterns.iter().map(|one| self.pattern(one)).collect::<Result<_, _>>()?;
                Ok(all.map(|all| Box::new(BooleanQuery::intersection(all)) as Box<dyn Query>))
            }
            Pattern::Pinyin(syllables) => {
                Ok(self.pinyin(syllables)?.map(|query| boosted(query, PINYIN)))
            }
            Pattern::PinyinParts(parts) => {
                let parts = parts.iter().map(|part| self.pinyin(part));
                let parts: Option<Vec<_>> = parts.collect::<Result<_, _>>()?;
                let all = parts.map(|parts| Box::new(BooleanQuery::intersection(parts)) as Box<_>);
                Ok(all.map(|query| boosted(query, PINYIN)))
            }
        }
    }

    fn term(&self, word: &str) -> Result<Option<Box<dyn Query>>, SearchError> {
        let fields = [
            (self.fields.brand, BRAND),
            (self.fields.category, CATEGORY),
            (self.fields.attributes, ATTRIBUTES),
            (self.fields.description, DESCRIPTION),
        ];
        // The spellings repeat words of the title, which count once.
        let title = self.field_term(self.fields.title, word, TITLE)?;
        let spelled = self.field_term(self.fields.spellings, word, SPELLINGS)?;
        let mut matches: Vec<Box<dyn Query>> = best_of(title, spelled).into_iter().collect();
        for (field, boost) in fields {
            matches.extend(self.field_term(field, word, boost)?);
        }
        if let Some(code) = self.code(word)? {
            matches.push(code);
        }
        Ok(match matches.len() {
            0 => None,
            1 => matches.pop(),
            _ => Some(Box::new(DisjunctionMaxQuery::with_tie_breaker(matches, OTHER_FIELDS))),
        })
    }

    fn field_term(
        &self,
        field: Field,
        word: &str,
        boost: f32,
    ) -> Result<Option<Box<dyn Query>>, SearchError> {
        let term = Term::from_field_text(field, word);
        if self.searcher.doc_freq(&term)? == 0 {
            return Ok(None);
        }
        let query = Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs));
        Ok(Some(boosted(query, boost)))
    }

    fn pinyin(&self, syllables: &[Syllable]) -> Result<Option<Box<dyn Query>>, SearchError> {
        let field = self.fields.pinyin;
        let mut terms: Vec<(usize, String)> = Vec::new();
        let mut prefix = None;
        for (position, syllable) in syllables.iter().enumerate() {
            match syllable {
                Syllable::Full(full) => terms.push((position, full.clone())),
                Syllable::Initial(initial) => {
                    terms.push((position, initial.to_ascii_uppercase().to_string()));
                }
                Syllable::Prefix(letters) if letters.chars().count() == 1 => {
                    terms.push((position, letters.to_ascii_uppercase()));
                }
                Syllable::Prefix(letters) => prefix = Some((position, letters.clone())),
            }
        }
        let Some((position, letters)) = prefix else { return self.phrase(field, terms) };
        if !self.all_known(field, &terms)? || terms.is_empty() {
            return Ok(None);
        }
        let terms = terms.into_iter().chain([(position, letters)]);
        Ok(Some(Box::new(PhrasePrefixQuery::new_with_offset(
            terms.map(|(position, text)| (position, Term::from_field_text(field, &text))).collect(),
        ))))
    }

    fn phrase(
        &self,
        field: Field,
        mut terms: Vec<(usize, String)>,
    ) -> Result<Option<Box<dyn Query>>, SearchError> {
        if !self.all_known(field, &terms)? {
            return Ok(None);
        }
        let term = |text: &str| Term::from_field_text(field, text);
        Ok(match terms.len() {
            0 => None,
            1 => terms.pop().map(|(_, text)| {
                let query = TermQuery::new(term(&text), IndexRecordOption::WithFreqs);
                Box::new(query) as Box<dyn Query>
            }),
            _ => Some(Box::new(PhraseQuery::new_with_offset(
                terms.iter().map(|(position, text)| (*position, term(text))).collect(),
            ))),
        })
    }

    fn all_known(&self, field: Field, terms: &[(usize, String)]) -> Result<bool, SearchError> {
        for (_, text) in terms {
            if self.searcher.doc_freq(&Term::from_field_text(field, text))? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Adjacent characters become one term per pair, which is rarer than a single character. A character without
/// neighbours is a term of its own.
fn character_terms(chars: &[(usize, char)]) -> Vec<(usize, String)> {
    let mut terms = Vec::new();
    for (index, (position, c)) in chars.iter().enumerate() {
        let next = chars.get(index + 1).filter(|(next, _)| *next == position + 1);
        let has_previous = index
            .checked_sub(1)
            .and_then(|before| chars.get(before))
            .is_some_and(|(before, _)| before + 1 == *position);
        if let Some((_, next)) = next {
            terms.push((*position, [*c, *next].iter().collect()));
        } else if !has_previous {
            terms.push((*position, c.to_string()));
        }
    }
    terms
}

/// The inverse document frequency of BM25.
#[expect(clippy::cast_precision_loss, reason = "a share of documents, exact enough in f32")]
fn inverse_frequency(count: u64, documents: u64) -> f32 {
    let others = documents.saturating_sub(count);
    ((others as f32 + 0.5) / (count as f32 + 0.5)).ln_1p()
}

fn boosted(query: Box<dyn Query>, boost: f32) -> Box<dyn Query> {
    Box::new(BoostQuery::new(query, boost))
}

/// The better of two matches counts.
fn best_of(a: Option<Box<dyn Query>>, b: Option<Box<dyn Query>>) -> Option<Box<dyn Query>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(Box::new(DisjunctionMaxQuery::new(vec![a, b]))),
        (a, b) => a.or(b),
    }
}

fn all_of(required: Vec<Box<dyn Query>>, optional: Vec<Box<dyn Query>>) -> Option<Box<dyn Query>> {
    // A query of stop words only requires them all.
    let (required, optional) =
        if required.is_empty() { (optional, Vec::new()) } else { (required, optional) };
    if required.is_empty() {
        return None;
    }
    let clauses = required
        .into_iter()
        .map(|query| (Occur::Must, query))
        .chain(optional.into_iter().map(|query| (Occur::Should, query)))
        .collect();
    Some(Box::new(BooleanQuery::new(clauses)))
}

/// Requires at least one word in `divisor`.
fn share_of(
    required: Vec<Box<dyn Query>>,
    optional: Vec<Box<dyn Query>>,
    divisor: usize,
) -> Option<Box<dyn Query>> {
    if required.is_empty() {
        return None;
    }
    let minimum = required.len().div_ceil(divisor);
    let words = BooleanQuery::union_with_minimum_required_clauses(required, minimum);
    let clauses = std::iter::once((Occur::Must, Box::new(words) as Box<dyn Query>))
        .chain(optional.into_iter().map(|query| (Occur::Should, query)))
        .collect();
    Some(Box::new(BooleanQuery::new(clauses)))
}

#[cfg(test)]
mod tests {
    use super::character_terms;

    #[test]
    fn adjacent_characters_become_pairs() {
        let consecutive = [(0, '机'), (1, '械'), (2, '键')];
        assert_eq!(character_terms(&consecutive), [(0, "机械".to_owned()), (1, "械键".to_owned())]);
        let gap = [(0, '机'), (2, '键'), (3, '盘')];
        assert_eq!(character_terms(&gap), [(0, "机".to_owned()), (2, "键盘".to_owned())]);
    }
}
