//! Patterns for words with the same meaning, from the list that the shop edits.

use std::collections::HashMap;

use super::{
    exact::name_patterns,
    parsed_query::{Alternative, MatchKind, Pattern, QueryWord},
    tokens::QueryToken,
};
use crate::{
    domain::Synonym,
    text::{Run, Script, fold, singular, split_runs},
};

/// The score of a synonym relative to the typed word.
const WEIGHT: f32 = 0.85;

/// What each word or phrase also finds.
#[derive(Debug, Clone, Default)]
pub(crate) struct SynonymTable(HashMap<String, Vec<SynonymWord>>);

/// A word or phrase that another one finds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SynonymWord {
    /// Folded, the last word in the singular.
    pub(crate) text: String,
    pub(crate) patterns: Vec<Pattern>,
}

impl SynonymWord {
    pub(crate) fn new(word: &str) -> Self {
        let runs = split_runs(&fold(word));
        let mut words: Vec<String> = runs.iter().map(Run::text).collect();
        if let Some(last) = words.last_mut()
            && let Some(singular) = singular(last)
        {
            *last = singular;
        }
        let text = words.join(" ");
        Self { patterns: name_patterns(&text), text }
    }

    /// The form by which words are compared: letters and digits without spaces.
    fn key(&self) -> String {
        self.text.replace(' ', "")
    }
}

impl SynonymTable {
    pub(crate) fn new(synonyms: &[Synonym]) -> Self {
        let mut table: HashMap<String, Vec<SynonymWord>> = HashMap::new();
        for synonym in synonyms {
            let (from, to) = synonym.sides();
            let found: Vec<SynonymWord> = to.iter().map(|word| SynonymWord::new(word)).collect();
            for word in from {
                let key = SynonymWord::new(word).key();
                let known = table.entry(key.clone()).or_default();
                for word in found.iter().filter(|word| word.key() != key) {
                    if !known.contains(word) {
                        known.push(word.clone());
                    }
                }
            }
        }
        table.remove("");
        Self(table)
    }

    /// What a word or phrase also finds.
    pub(crate) fn others(&self, text: &str) -> &[SynonymWord] {
        self.0.get(&SynonymWord::new(text).key()).map_or(&[], Vec::as_slice)
    }
}

/// Adds the synonyms of each word and of each sequence of words.
pub(super) fn push_synonyms(
    tokens: &[QueryToken],
    synonyms: &SynonymTable,
    words: &mut [QueryWord],
) {
    if synonyms.0.is_empty() {
        return;
    }
    for first in 0..tokens.len() {
        let mut before = String::new();
        let together =
            tokens[first..].iter().take_while(|token| token.group == tokens[first].group);
        for (token, end) in together.zip(first + 1..) {
            let text = token.text();
            let is_latin = token.script == Script::Word;
            let last = singular(&text).filter(|_| is_latin).unwrap_or_else(|| text.clone());
            let found = synonyms.0.get(&format!("{before}{last}"));
            for pattern in found.into_iter().flatten().flat_map(|word| &word.patterns) {
                for word in &mut words[first..end] {
                    word.exact.push(Alternative {
                        pattern: pattern.clone(),
                        weight: WEIGHT,
                        covers: first..end,
                        kind: MatchKind::Synonym,
                    });
                }
            }
            before.push_str(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SynonymTable, SynonymWord};
    use crate::{
        domain::Synonym,
        index::query_parser::{MatchKind, add_synonyms, parse},
    };

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn table() -> SynonymTable {
        SynonymTable::new(&[
            Synonym::TwoWay(owned(&["充电宝", "移动电源", "Power Banks"])),
            Synonym::OneWay { from: owned(&["phone"]), to: owned(&["手机"]) },
            Synonym::TwoWay(owned(&["T恤", "t-shirt"])),
        ])
    }

    fn others(text: &str) -> Vec<String> {
        table().others(text).iter().map(|word| word.text.clone()).collect()
    }

    #[test]
    fn words_are_compared_folded_and_in_the_singular() {
        assert_eq!(others("充電寶"), ["移动电源", "power bank"]);
        for text in ["power bank", "POWER BANKS", "powerbank", "Ｐower-Bank"] {
            assert_eq!(others(text), ["充电宝", "移动电源"], "{text}");
        }
        assert_eq!(others("Phones"), ["手机"]);
        assert!(others("手机").is_empty() && others("").is_empty() && others("power").is_empty());
    }

    /// How many words of the query have a synonym.
    fn words_with_synonyms(q: &str) -> usize {
        let mut parsed = parse(q);
        add_synonyms(q, &table(), &mut parsed);
        let has_synonym = |alternatives: &[super::Alternative]| {
            alternatives.iter().any(|alternative| alternative.kind == MatchKind::Synonym)
        };
        parsed.words.iter().filter(|word| has_synonym(&word.exact)).count()
    }

    #[test]
    fn each_word_of_a_phrase_has_its_synonyms() {
        for (q, count) in [
            ("power bank 10000mah", 2),
            ("slim power banks", 2),
            ("power, bank", 0),
            ("phone case", 1),
            ("移动电源", 2),
            ("t-shirts", 1),
            ("手机", 0),
            ("键盘", 0),
        ] {
            assert_eq!(words_with_synonyms(q), count, "{q}");
        }
    }

    #[test]
    fn a_word_without_letters_has_no_patterns() {
        assert_eq!(SynonymWord::new("!?").text, "");
    }
}
