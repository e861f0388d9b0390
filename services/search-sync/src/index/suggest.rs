//! Suggestions while typing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tantivy::{Searcher, SegmentReader};
use uuid::Uuid;

use super::{
    collector::HitCollector,
    dictionary::TermDictionaries,
    document::Localized,
    highlight::highlight,
    open::Index,
    query::{Query, SearchError},
    query_builder::{QueryBuilder, RelaxationLevel},
    query_parser::{MatchKind, ParsedQuery, Vocabulary, parse_tolerantly},
    schema::{column, split_value},
    settings::SearchSettings,
};
use crate::{
    domain::Rule,
    text::{Syllable, fold, parse_initials, parse_syllables, readings},
};

/// The maximum number of suggestions per call.
pub const SUGGESTIONS_MAX: usize = 20;
/// How many brands and how many categories precede the products.
const NAMES_MAX: usize = 3;
/// How many names of a segment are scanned.
const NAMES_SCANNED_MAX: u64 = 20_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The text to show, or to search for.
    pub text: String,
    pub kind: SuggestionKind,
    /// Set for products.
    pub product_id: Option<Uuid>,
}

/// What a suggestion names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SuggestionKind {
    /// The title of a product.
    Product,
    Brand,
    /// The path of a category.
    Category,
}

impl Index {
    /// Suggests brands, categories and products whose words start with the typed prefix, in Chinese, Latin
    /// letters or pinyin. A prefix without letters gives none.
    pub fn suggest(&self, prefix: &str, limit: usize) -> Result<Vec<Suggestion>, SearchError> {
        self.suggest_with(prefix, limit, &SearchSettings::default(), DateTime::UNIX_EPOCH)
    }

    /// The same with the rules that apply at the time `now`: hidden products are not suggested.
    pub fn suggest_with(
        &self,
        prefix: &str,
        limit: usize,
        settings: &SearchSettings,
        now: DateTime<Utc>,
    ) -> Result<Vec<Suggestion>, SearchError> {
        let limit = limit.min(SUGGESTIONS_MAX);
        let searcher = self.searcher();
        let dictionaries = TermDictionaries::new(&searcher, &self.fields);
        let mut parsed = parse_tolerantly(prefix, &Completions(dictionaries))?;
        if parsed.words.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        remove_typos(&mut parsed);
        let mut found = names(&searcher, prefix)?;
        found.truncate(limit);
        let query = Query { q: prefix.to_owned(), ..Query::default() };
        let rules = settings.rules(settings.moment(None, now), &query);
        self.push_products(&searcher, &parsed, &rules, limit, &mut found)?;
        Ok(found)
    }

    fn push_products(
        &self,
        searcher: &Searcher,
        parsed: &ParsedQuery,
        rules: &[&Rule],
        limit: usize,
        found: &mut Vec<Suggestion>,
    ) -> Result<(), SearchError> {
        let builder = QueryBuilder { searcher, fields: &self.fields };
        let Some(tolerant) = builder.query(parsed, RelaxationLevel::Tolerant)? else {
            return Ok(());
        };
        let query = Query::default();
        let mut collector = HitCollector::new(searcher, &query, None, 2 * limit);
        collector.apply_rules(&self.fields, rules, Vec::new())?;
        collector.collect(tolerant.as_ref(), 0)?;
        let (best, ..) = collector.finish();
        for candidate in best {
            if found.len() >= limit {
                break;
            }
            let stored = self.stored_hit(searcher, candidate.address)?;
            // Suggest the title in the language that matches.
            let matches = |text: &&str| {
                let title = Localized { zh: Some((*text).to_owned()), en: None };
                highlight(&title, &parsed.words).contains("<em>")
            };
            let matching = stored.title.texts().find(matches);
            let Some(text) = matching.or_else(|| stored.title.texts().next()) else { continue };
            if found.iter().all(|known| known.text != text) {
                found.push(Suggestion {
                    text: text.to_owned(),
                    kind: SuggestionKind::Product,
                    product_id: Some(stored.product_id),
                });
            }
        }
        Ok(())
    }
}

/// The vocabulary without corrections, which suggestions do not use.
struct Completions<'a>(TermDictionaries<'a>);

impl Vocabulary for Completions<'_> {
    type Error = SearchError;

    fn contains(&self, _: &str) -> Result<bool, SearchError> {
        Ok(false)
    }

    fn similar(&self, _: &str, _: u8) -> Result<Vec<String>, SearchError> {
        Ok(Vec::new())
    }

    fn completions(&self, word: &str) -> Result<Vec<String>, SearchError> {
        self.0.completions(word)
    }
}

/// Removes spelling corrections: an incomplete word is completed, not corrected.
fn remove_typos(parsed: &mut ParsedQuery) {
    for word in &mut parsed.words {
        word.tolerant.retain(|alternative| match alternative.kind {
            MatchKind::Exact
            | MatchKind::BrandName
            | MatchKind::Synonym
            | MatchKind::Prefix
            | MatchKind::Phonetic
            | MatchKind::Apart => true,
            MatchKind::Typo => false,
        });
    }
}

/// The brands and categories that start with `prefix`, those of the most products first.
fn names(searcher: &Searcher, prefix: &str) -> Result<Vec<Suggestion>, SearchError> {
    let prefix = NamePrefix::new(prefix);
    let mut found = Vec::new();
    for (column, kind) in
        [(column::BRAND, SuggestionKind::Brand), (column::CATEGORY, SuggestionKind::Category)]
    {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for segment in searcher.segment_readers() {
            count_names(segment, column, &prefix, &mut counts)?;
        }
        let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let names = counts.into_iter().take(NAMES_MAX);
        found.extend(names.map(|(text, _)| Suggestion { text, kind, product_id: None }));
    }
    Ok(found)
}

/// Adds the products of a segment per matching name.
fn count_names(
    segment: &SegmentReader,
    column: &str,
    prefix: &NamePrefix,
    counts: &mut BTreeMap<String, u64>,
) -> Result<(), SearchError> {
    let Some(column) = segment.fast_fields().str(column)? else { return Ok(()) };
    let terms = u64::try_from(column.num_terms()).unwrap_or(u64::MAX);
    let mut matching: BTreeMap<u64, String> = BTreeMap::new();
    let mut name = String::new();
    for ord in 0..terms.min(NAMES_SCANNED_MAX) {
        name.clear();
        column.ord_to_str(ord, &mut name)?;
        let (_, spelling) = split_value(&name);
        if prefix.matches(spelling.rsplit('/').next().unwrap_or(spelling)) {
            matching.insert(ord, spelling.to_owned());
        }
    }
    if matching.is_empty() {
        return Ok(());
    }
    for ord in segment.doc_ids_alive().flat_map(|doc| column.term_ords(doc)) {
        if let Some(name) = matching.get(&ord) {
            *counts.entry(name.clone()).or_default() += 1;
        }
    }
    Ok(())
}

/// The beginning of a name, as letters and as pinyin.
struct NamePrefix {
    text: String,
    pinyin: Vec<Vec<Syllable>>,
}

impl NamePrefix {
    fn new(prefix: &str) -> Self {
        let text = fold(prefix).trim().to_owned();
        let letters: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let mut pinyin = parse_syllables(&letters, true);
        pinyin.extend(parse_initials(&letters));
        Self { text, pinyin }
    }

    fn matches(&self, name: &str) -> bool {
        let name = fold(name);
        if name.starts_with(&self.text) {
            return true;
        }
        let chars: Vec<char> = name.chars().take(16).collect();
        self.pinyin.iter().any(|syllables| {
            syllables.len() <= chars.len()
                && syllables.iter().zip(&chars).all(|(syllable, c)| syllable.matches(&readings(*c)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::NamePrefix;

    #[test]
    fn a_prefix_is_letters_characters_or_pinyin() {
        for prefix in ["Lu", "luoj", "罗", "罗技", "lj", "luo ji"] {
            assert!(NamePrefix::new(prefix).matches("罗技"), "{prefix}");
        }
        assert!(NamePrefix::new("logi").matches("Logitech"));
        assert!(!NamePrefix::new("tech").matches("Logitech"));
    }
}
