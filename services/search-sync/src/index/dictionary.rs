//! Lookups in the term dictionaries of the index.

use std::collections::BTreeMap;

use tantivy::{Searcher, Term, query::FuzzyTermQuery, schema::Field};

use super::{query::SearchError, query_parser::Vocabulary, schema::Fields};

/// How many similar words of a misspelt word are tried.
const SIMILAR_MAX: usize = 8;
/// How many completions of a word are tried.
const COMPLETIONS_MAX: usize = 24;
/// How many terms are scanned for one completion, per field and segment.
const SCANNED_MAX: usize = 3_000;
/// The shortest word that may correct a misspelt one, in characters.
const CORRECTION_MIN: usize = 4;

/// The term dictionaries of the fields that shoppers search.
pub(crate) struct TermDictionaries<'a> {
    searcher: &'a Searcher,
    title: Field,
    fields: [Field; 5],
}

impl<'a> TermDictionaries<'a> {
    pub(crate) fn new(searcher: &'a Searcher, fields: &Fields) -> Self {
        let searched =
            [fields.title, fields.spellings, fields.brand, fields.category, fields.attributes];
        Self { searcher, title: fields.title, fields: searched }
    }
}

impl Vocabulary for TermDictionaries<'_> {
    type Error = SearchError;

    fn contains(&self, word: &str) -> Result<bool, SearchError> {
        Ok(self.searcher.doc_freq(&Term::from_field_text(self.title, word))? > 0)
    }

    fn similar(&self, word: &str, distance: u8) -> Result<Vec<String>, SearchError> {
        let mut found = Frequencies::default();
        // Building it costs more than the search of a small dictionary. It does not depend on the field.
        let term = Term::from_field_text(self.title, word);
        let automaton = FuzzyTermQuery::new(term, distance, true).automaton()?;
        for field in self.fields {
            for segment in self.searcher.segment_readers() {
                let index = segment.inverted_index(field)?;
                let mut stream = index.terms().search(&automaton).into_stream()?;
                while stream.advance() {
                    found.add(stream.key(), stream.value().doc_freq);
                }
            }
        }
        found.retain(|similar| {
            similar != word
                && similar.chars().count() >= CORRECTION_MIN
                && similar.chars().all(char::is_alphabetic)
        });
        Ok(found.most_frequent(SIMILAR_MAX))
    }

    fn completions(&self, word: &str) -> Result<Vec<String>, SearchError> {
        let mut found = Frequencies::default();
        for field in self.fields {
            for segment in self.searcher.segment_readers() {
                let index = segment.inverted_index(field)?;
                let mut stream = index.terms().range().gt(word).into_stream()?;
                let mut scanned = 0;
                while scanned < SCANNED_MAX && stream.advance() {
                    if !stream.key().starts_with(word.as_bytes()) {
                        break;
                    }
                    found.add(stream.key(), stream.value().doc_freq);
                    scanned += 1;
                }
            }
        }
        Ok(found.most_frequent(COMPLETIONS_MAX))
    }
}

/// The document frequency of each word, summed over fields and segments.
#[derive(Default)]
struct Frequencies(BTreeMap<String, u32>);

impl Frequencies {
    fn add(&mut self, word: &[u8], documents: u32) {
        if let Ok(word) = std::str::from_utf8(word) {
            let frequency = self.0.entry(word.to_owned()).or_default();
            *frequency = frequency.saturating_add(documents);
        }
    }

    fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|word, _| keep(word));
    }

    /// The most frequent words; equally frequent ones in alphabetical order.
    fn most_frequent(self, count: usize) -> Vec<String> {
        let mut words: Vec<(String, u32)> = self.0.into_iter().collect();
        words.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        words.into_iter().take(count).map(|(word, _)| word).collect()
    }
}
