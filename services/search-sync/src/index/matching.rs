//! From what a query may mean to what the library matches and scores.

use tantivy::query::{
    BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, Occur, PhrasePrefixQuery,
    PhraseQuery, Query, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Searcher, Term};

use super::interpret::{Alternative, Pattern, Reading, WORDS_MAX, Word};
use super::query::SearchError;
use super::schema::Fields;
use crate::text::Syllable;

// The weights were measured on judged queries over a real catalogue of electronics. Attributes there are many and
// mostly noise (a notebook's list names everything it can be connected to), so they decide only between equals.

/// What a match in each field is worth.
const TITLE: f32 = 4.0;
const BRAND: f32 = 3.0;
const CATEGORY: f32 = 2.0;
const ATTRIBUTES: f32 = 0.2;
const DESCRIPTION: f32 = 0.3;
/// A Chinese substring of title, brand or category.
const CHARACTERS: f32 = 3.0;
/// The same by its sound.
const SOUNDS: f32 = 3.0;
/// A query that stands in the title in one piece.
const PHRASE: f32 = 2.0;
/// An article number is the article.
const SKU: f32 = 100.0;
/// How much the fields beside the best one add.
const OTHER_FIELDS: f32 = 0.5;

/// How strictly the words of a query have to be matched; each rung lets more in than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rung {
    /// Every word as it stands.
    Literal,
    /// Every word as it stands or was probably meant.
    Tolerant,
    /// Half of the words.
    Half,
    /// One of the words.
    Any,
}

/// Builds queries against one state of the index.
pub(super) struct Matcher<'a> {
    pub(super) searcher: &'a Searcher,
    pub(super) fields: &'a Fields,
}

impl Matcher<'_> {
    /// The query for a reading on a rung; `None` where nothing can match.
    pub(super) fn query(
        &self,
        reading: &Reading,
        rung: Rung,
    ) -> Result<Option<Box<dyn Query>>, SearchError> {
        let mut required: Vec<Box<dyn Query>> = Vec::new();
        let mut optional: Vec<Box<dyn Query>> = Vec::new();
        let mut missing = false;
        for word in &reading.words {
            let query = self.word(word, rung)?;
            match (query, word.filler) {
                (Some(query), false) => required.push(query),
                (Some(query), true) => optional.push(query),
                (None, false) => missing = true,
                (None, true) => {}
            }
        }
        let words = match rung {
            Rung::Literal | Rung::Tolerant if missing => None,
            Rung::Literal | Rung::Tolerant => all_of(required, optional),
            Rung::Half => some_of(required, optional, 2),
            Rung::Any => some_of(required, optional, WORDS_MAX),
        };
        let words = self.with_phrases(words, reading)?;
        let article = self.article(&reading.sku)?;
        Ok(match (words, article) {
            (Some(words), Some(article)) => {
                Some(Box::new(BooleanQuery::union(vec![words, article])))
            }
            (words, article) => words.or(article),
        })
    }

    /// Whether any document has the word as it stands.
    pub(super) fn is_known(&self, word: &Word) -> Result<bool, SearchError> {
        let Some(query) = self.word(word, Rung::Literal)? else { return Ok(false) };
        Ok(query.count(self.searcher)? > 0)
    }

    fn word(&self, word: &Word, rung: Rung) -> Result<Option<Box<dyn Query>>, SearchError> {
        let tolerant: &[Alternative] = match rung {
            Rung::Literal => &[],
            Rung::Tolerant | Rung::Half | Rung::Any => &word.tolerant,
        };
        let mut ways: Vec<Box<dyn Query>> = Vec::new();
        for alternative in word.literal.iter().chain(tolerant) {
            if let Some(query) = self.pattern(&alternative.pattern)? {
                ways.push(boosted(query, alternative.weight));
            }
        }
        Ok(match ways.len() {
            0 => None,
            1 => ways.pop(),
            _ => Some(Box::new(DisjunctionMaxQuery::new(ways))),
        })
    }

    fn with_phrases(
        &self,
        words: Option<Box<dyn Query>>,
        reading: &Reading,
    ) -> Result<Option<Box<dyn Query>>, SearchError> {
        let Some(words) = words else { return Ok(None) };
        let mut clauses = vec![(Occur::Must, words)];
        for phrase in &reading.phrases {
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

    fn article(&self, sku: &str) -> Result<Option<Box<dyn Query>>, SearchError> {
        let term = Term::from_field_text(self.fields.sku, sku);
        if sku.is_empty() || self.searcher.doc_freq(&term)? == 0 {
            return Ok(None);
        }
        let query = Box::new(TermQuery::new(term, IndexRecordOption::Basic));
        Ok(Some(Box::new(ConstScoreQuery::new(query, SKU))))
    }

    /// The query for a pattern; `None` where the dictionaries already show that nothing matches.
    pub(super) fn pattern(&self, pattern: &Pattern) -> Result<Option<Box<dyn Query>>, SearchError> {
        match pattern {
            Pattern::Word(word) => self.term(word),
            Pattern::Phrase(words) => {
                let terms = words.iter().cloned().enumerate().collect();
                Ok(self.phrase(self.fields.title, terms)?.map(|query| boosted(query, TITLE)))
            }
            Pattern::Characters { places, .. } => Ok(self
                .phrase(self.fields.characters, character_terms(places))?
                .map(|query| boosted(query, CHARACTERS))),
            Pattern::Sound(syllables) => {
                Ok(self.sound(syllables)?.map(|query| boosted(query, SOUNDS)))
            }
            Pattern::Sounds(parts) => {
                let parts = parts.iter().map(|part| self.sound(part));
                let parts: Option<Vec<_>> = parts.collect::<Result<_, _>>()?;
                let all = parts.map(|parts| Box::new(BooleanQuery::intersection(parts)) as Box<_>);
                Ok(all.map(|query| boosted(query, SOUNDS)))
            }
        }
    }

    fn term(&self, word: &str) -> Result<Option<Box<dyn Query>>, SearchError> {
        let fields = [
            (self.fields.title, TITLE),
            (self.fields.brand, BRAND),
            (self.fields.category, CATEGORY),
            (self.fields.attributes, ATTRIBUTES),
            (self.fields.description, DESCRIPTION),
        ];
        let mut places: Vec<Box<dyn Query>> = Vec::new();
        for (field, boost) in fields {
            let term = Term::from_field_text(field, word);
            if self.searcher.doc_freq(&term)? > 0 {
                places.push(boosted(
                    Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)),
                    boost,
                ));
            }
        }
        if let Some(article) = self.article(word)? {
            places.push(article);
        }
        Ok(match places.len() {
            0 => None,
            1 => places.pop(),
            _ => Some(Box::new(DisjunctionMaxQuery::with_tie_breaker(places, OTHER_FIELDS))),
        })
    }

    fn sound(&self, syllables: &[Syllable]) -> Result<Option<Box<dyn Query>>, SearchError> {
        let field = self.fields.sounds;
        let mut terms: Vec<(usize, String)> = Vec::new();
        let mut begun = None;
        for (place, syllable) in syllables.iter().enumerate() {
            match syllable {
                Syllable::Whole(whole) => terms.push((place, whole.clone())),
                Syllable::Initial(initial) => {
                    terms.push((place, initial.to_ascii_uppercase().to_string()));
                }
                Syllable::Begun(letters) if letters.chars().count() == 1 => {
                    terms.push((place, letters.to_ascii_uppercase()));
                }
                Syllable::Begun(letters) => begun = Some((place, letters.clone())),
            }
        }
        let Some((place, letters)) = begun else { return self.phrase(field, terms) };
        if !self.all_known(field, &terms)? || terms.is_empty() {
            return Ok(None);
        }
        let terms = terms.into_iter().chain([(place, letters)]);
        Ok(Some(Box::new(PhrasePrefixQuery::new_with_offset(
            terms.map(|(place, text)| (place, Term::from_field_text(field, &text))).collect(),
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
                terms.iter().map(|(place, text)| (*place, term(text))).collect(),
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

/// Pairs of neighbouring characters are one term, which few titles have; a character alone is one where a gap is.
fn character_terms(chars: &[(usize, char)]) -> Vec<(usize, String)> {
    let mut terms = Vec::new();
    for (index, (place, c)) in chars.iter().enumerate() {
        let follows = |other: Option<&(usize, char)>, at: usize| other.is_some_and(|o| o.0 == at);
        let after = chars.get(index + 1).filter(|(next, _)| *next == place + 1);
        let before = index.checked_sub(1).and_then(|i| chars.get(i));
        if let Some((_, next)) = after {
            terms.push((*place, [*c, *next].iter().collect()));
        } else if *place == 0 || !follows(before, place - 1) {
            terms.push((*place, c.to_string()));
        }
    }
    terms
}

fn boosted(query: Box<dyn Query>, boost: f32) -> Box<dyn Query> {
    Box::new(BoostQuery::new(query, boost))
}

fn all_of(required: Vec<Box<dyn Query>>, optional: Vec<Box<dyn Query>>) -> Option<Box<dyn Query>> {
    // A query of nothing but small words has them all required.
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

/// At least one word in `of`.
fn some_of(
    required: Vec<Box<dyn Query>>,
    optional: Vec<Box<dyn Query>>,
    of: usize,
) -> Option<Box<dyn Query>> {
    if required.is_empty() {
        return None;
    }
    let least = required.len().div_ceil(of);
    let words = BooleanQuery::union_with_minimum_required_clauses(required, least);
    let clauses = std::iter::once((Occur::Must, Box::new(words) as Box<dyn Query>))
        .chain(optional.into_iter().map(|query| (Occur::Should, query)))
        .collect();
    Some(Box::new(BooleanQuery::new(clauses)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_pairs_and_gaps_leave_single_characters() {
        let whole = [(0, '机'), (1, '械'), (2, '键')];
        assert_eq!(character_terms(&whole), [(0, "机械".to_owned()), (1, "械键".to_owned())]);
        let gap = [(0, '机'), (2, '键'), (3, '盘')];
        assert_eq!(character_terms(&gap), [(0, "机".to_owned()), (2, "键盘".to_owned())]);
    }
}
