//! Completions while somebody types.

use std::collections::BTreeMap;

use serde::Serialize;
use tantivy::Searcher;
use uuid::Uuid;

use super::expand::Dictionaries;
use super::highlight::highlighted;
use super::interpret::{Kind, Reading, read_tolerantly};
use super::matching::{Matcher, Rung};
use super::open::Index;
use super::query::{Query, SearchError};
use super::scan::Scan;
use super::schema::column;
use crate::text::{Syllable, normalise, parse_syllables, readings};

/// The most suggestions of one call.
pub const SUGGESTIONS_MAX: usize = 20;
/// How many brands and how many categories are suggested before the products.
const NAMES_MAX: usize = 3;
/// How many names of a segment are looked at.
const NAMES_SCANNED_MAX: u64 = 20_000;

/// One completion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// What to put into the search box or to show.
    pub text: String,
    /// What it is.
    pub kind: SuggestionKind,
    /// Which product, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_id: Option<Uuid>,
}

/// What a completion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SuggestionKind {
    /// The title of a product.
    Product,
    /// A brand.
    Brand,
    /// The path of a category.
    Category,
}

impl Index {
    /// Brands, categories and products that begin with, or have words that begin with, what was typed so far: in Chinese,
    /// Latin letters or pinyin. Nothing for a prefix without a letter in it.
    pub fn suggest(&self, prefix: &str, limit: usize) -> Result<Vec<Suggestion>, SearchError> {
        let limit = limit.min(SUGGESTIONS_MAX);
        let searcher = self.searcher();
        let dictionaries = Dictionaries::new(&searcher, &self.fields);
        let mut reading = read_tolerantly(
            prefix,
            |_, _| Ok::<_, SearchError>(Vec::new()),
            |word| dictionaries.completions(word),
        )?;
        if reading.words.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        keep_completions(&mut reading);
        let mut found = names(&searcher, prefix)?;
        found.truncate(limit);
        self.push_products(&searcher, &reading, limit, &mut found)?;
        Ok(found)
    }

    fn push_products(
        &self,
        searcher: &Searcher,
        reading: &Reading,
        limit: usize,
        found: &mut Vec<Suggestion>,
    ) -> Result<(), SearchError> {
        let matcher = Matcher { searcher, fields: &self.fields };
        let Some(matching) = matcher.query(reading, Rung::Tolerant)? else { return Ok(()) };
        let query = Query::default();
        let mut scan = Scan::new(searcher, &query, None, 2 * limit);
        scan.walk(matching.as_ref(), 0)?;
        let (best, _) = scan.finish();
        for candidate in best {
            if found.len() >= limit {
                break;
            }
            let shown = self.shown(searcher, candidate.address)?;
            // The language that says what was typed is the one to go on in.
            let says = |text: &&str| {
                let alone = super::Localized { zh: Some((*text).to_owned()), en: None };
                highlighted(&alone, &reading.words).contains("<em>")
            };
            let Some(text) = shown.title.each().find(says).or_else(|| shown.title.each().next())
            else {
                continue;
            };
            if found.iter().all(|known| known.text != text) {
                found.push(Suggestion {
                    text: text.to_owned(),
                    kind: SuggestionKind::Product,
                    product_id: Some(shown.product_id),
                });
            }
        }
        Ok(())
    }
}

/// What somebody is still typing is not corrected, only completed.
fn keep_completions(reading: &mut Reading) {
    for word in &mut reading.words {
        word.tolerant.retain(|alternative| match alternative.kind {
            Kind::Literal | Kind::Begun | Kind::Sound => true,
            Kind::Slip => false,
        });
    }
}

/// Brands and categories that begin so, those of the most products first.
fn names(searcher: &Searcher, prefix: &str) -> Result<Vec<Suggestion>, SearchError> {
    let typed = Typed::new(prefix);
    let mut found = Vec::new();
    for (name, kind) in
        [(column::BRAND, SuggestionKind::Brand), (column::CATEGORY, SuggestionKind::Category)]
    {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for segment in searcher.segment_readers() {
            let Some(column) = segment.fast_fields().str(name)? else { continue };
            let terms = u64::try_from(column.num_terms()).unwrap_or(u64::MAX);
            let mut fitting: BTreeMap<u64, String> = BTreeMap::new();
            let mut name = String::new();
            for ord in 0..terms.min(NAMES_SCANNED_MAX) {
                name.clear();
                column.ord_to_str(ord, &mut name)?;
                if typed.begins(name.rsplit('/').next().unwrap_or(&name)) {
                    fitting.insert(ord, name.clone());
                }
            }
            if fitting.is_empty() {
                continue;
            }
            for ord in segment.doc_ids_alive().flat_map(|doc| column.term_ords(doc)) {
                if let Some(name) = fitting.get(&ord) {
                    *counts.entry(name.clone()).or_default() += 1;
                }
            }
        }
        let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let names = counts.into_iter().take(NAMES_MAX);
        found.extend(names.map(|(text, _)| Suggestion { text, kind, product_id: None }));
    }
    Ok(found)
}

/// The beginning of a name, as letters and as sound.
struct Typed {
    text: String,
    sounds: Vec<Vec<Syllable>>,
}

impl Typed {
    fn new(prefix: &str) -> Self {
        let text = normalise(prefix.trim());
        let letters: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let mut sounds = parse_syllables(&letters, true);
        sounds.extend(crate::text::initials(&letters));
        Self { text, sounds }
    }

    fn begins(&self, name: &str) -> bool {
        let name = normalise(name);
        if name.starts_with(&self.text) {
            return true;
        }
        let chars: Vec<char> = name.chars().take(16).collect();
        self.sounds.iter().any(|sound| {
            sound.len() <= chars.len()
                && sound.iter().zip(&chars).all(|(syllable, c)| syllable.is_read(&readings(*c)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_in_letters_characters_or_pinyin() {
        for prefix in ["Lu", "luoj", "罗", "罗技", "lj", "luo ji"] {
            assert!(Typed::new(prefix).begins("罗技"), "{prefix}");
        }
        assert!(Typed::new("logi").begins("Logitech"));
        assert!(!Typed::new("tech").begins("Logitech"));
    }
}
