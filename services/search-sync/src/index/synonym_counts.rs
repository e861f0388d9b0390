//! How many products the words of the synonyms touch.

use tantivy::{
    Searcher,
    query::{BooleanQuery, Query},
};
use vocabulary::Version;

use super::{
    open::Index, query::SearchError, query_builder::QueryBuilder, query_parser::SynonymWord,
    settings::SearchSettings,
};
use crate::domain::Synonym;

/// The synonyms in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SynonymCounts {
    /// The version of the list.
    pub version: Version,
    pub entries: Vec<CountedSynonym>,
}

/// An entry of the list of synonyms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CountedSynonym {
    TwoWay(Vec<WordCount>),
    OneWay { from: Vec<WordCount>, to: Vec<WordCount> },
}

/// A word with the number of products that contain it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordCount {
    pub word: String,
    pub products: u64,
}

impl Index {
    /// The synonyms in use with the number of products that each word touches; `None` before the first list.
    pub fn count_synonyms(
        &self,
        settings: &SearchSettings,
    ) -> Result<Option<SynonymCounts>, SearchError> {
        let Some((version, synonyms)) = settings.synonym_list() else { return Ok(None) };
        let searcher = self.searcher();
        let words = |words: &[String]| -> Result<Vec<WordCount>, SearchError> {
            words.iter().map(|word| self.count_word(&searcher, word)).collect()
        };
        let entries = synonyms.iter().map(|synonym| {
            Ok(match synonym {
                Synonym::TwoWay(two_way) => CountedSynonym::TwoWay(words(two_way)?),
                Synonym::OneWay { from, to } => {
                    CountedSynonym::OneWay { from: words(from)?, to: words(to)? }
                }
            })
        });
        Ok(Some(SynonymCounts { version, entries: entries.collect::<Result<_, SearchError>>()? }))
    }

    fn count_word(&self, searcher: &Searcher, word: &str) -> Result<WordCount, SearchError> {
        let builder = QueryBuilder { searcher, fields: &self.fields };
        let mut queries: Vec<Box<dyn Query>> = Vec::new();
        for pattern in SynonymWord::new(word).patterns {
            queries.extend(builder.pattern(&pattern)?);
        }
        let products = BooleanQuery::union(queries).count(searcher)?;
        let products = u64::try_from(products).unwrap_or(u64::MAX);
        Ok(WordCount { word: word.to_owned(), products })
    }
}
