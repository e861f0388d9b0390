//! Synonyms: words with the same meaning, which search applies to queries.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use vocabulary::Version;

use super::draft::{ValidationError, ValidationErrors};

const MAX_SYNONYMS: usize = 1_000;
/// The maximum number of words of an entry, per side.
const MAX_WORDS: usize = 20;
/// The maximum length of a word, in characters.
const MAX_WORD: usize = 60;

/// Words with the same meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Synonym {
    /// A query with one of the words also finds the others.
    TwoWay(Vec<String>),
    /// A query with a word of `from` also finds those of `to`, but not the other way round.
    OneWay { from: Vec<String>, to: Vec<String> },
}

/// The list of synonyms, which is edited as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SynonymList {
    pub(crate) version: Version,
    pub(crate) synonyms: Vec<Synonym>,
    pub(crate) updated_at: DateTime<Utc>,
}

/// An entry that has not been validated: either `words`, or `from` and `to`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SynonymDraft {
    pub(crate) words: Option<Vec<String>>,
    pub(crate) from: Option<Vec<String>>,
    pub(crate) to: Option<Vec<String>>,
}

/// The valid entries, or every error. White space around words is removed.
pub(crate) fn validate_synonyms(
    drafts: Vec<SynonymDraft>,
) -> Result<Vec<Synonym>, Vec<ValidationError>> {
    let mut errors = ValidationErrors(Vec::new());
    let mut synonyms = Vec::new();
    if errors.count("items", drafts.len(), MAX_SYNONYMS) {
        for (index, draft) in drafts.into_iter().enumerate() {
            synonyms.extend(errors.synonym(&format!("items[{index}]"), draft));
        }
    }
    if errors.0.is_empty() { Ok(synonyms) } else { Err(errors.0) }
}

impl ValidationErrors {
    fn synonym(&mut self, field: &str, draft: SynonymDraft) -> Option<Synonym> {
        let mut seen = BTreeSet::new();
        match draft {
            SynonymDraft { words: Some(words), from: None, to: None } => {
                let words = self.words(&format!("{field}.words"), &words, 2, &mut seen);
                Some(Synonym::TwoWay(words))
            }
            SynonymDraft { words: None, from: Some(from), to: Some(to) } => {
                let from = self.words(&format!("{field}.from"), &from, 1, &mut seen);
                let to = self.words(&format!("{field}.to"), &to, 1, &mut seen);
                Some(Synonym::OneWay { from, to })
            }
            SynonymDraft { .. } => {
                self.add(field, "invalid", "must have either words, or from and to");
                None
            }
        }
    }

    /// Words that occur once in their entry.
    fn words(
        &mut self,
        field: &str,
        words: &[String],
        min: usize,
        seen: &mut BTreeSet<String>,
    ) -> Vec<String> {
        if words.len() < min {
            self.add(field, "required", format!("must have at least {min}"));
        }
        if !self.count(field, words.len(), MAX_WORDS) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (index, word) in words.iter().enumerate() {
            let field = format!("{field}[{index}]");
            let word = word.trim();
            if word.chars().nth(MAX_WORD).is_some() {
                self.add(&field, "too_long", format!("may have at most {MAX_WORD} characters"));
            }
            if word.chars().any(char::is_control) || !word.chars().any(char::is_alphanumeric) {
                self.add(
                    &field,
                    "invalid",
                    "must have a letter or digit, and no control characters",
                );
            }
            if !seen.insert(word.to_lowercase()) {
                self.add(&field, "duplicate", "occurs twice in this entry");
            }
            found.push(word.to_owned());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{Synonym, SynonymDraft, validate_synonyms};

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn two_way(words: &[&str]) -> SynonymDraft {
        SynonymDraft { words: Some(owned(words)), ..SynonymDraft::default() }
    }

    fn one_way(from: &[&str], to: &[&str]) -> SynonymDraft {
        SynonymDraft { words: None, from: Some(owned(from)), to: Some(owned(to)) }
    }

    #[test]
    fn entries_are_one_way_or_two_way() {
        let valid =
            validate_synonyms(vec![two_way(&[" 书包", "双肩包"]), one_way(&["phone"], &["手机"])]);
        let expected = [
            Synonym::TwoWay(owned(&["书包", "双肩包"])),
            Synonym::OneWay { from: owned(&["phone"]), to: owned(&["手机"]) },
        ];
        assert_eq!(valid.unwrap(), expected);
    }

    #[test]
    fn every_invalid_word_is_named() {
        let long = "长".repeat(61);
        for (draft, code, field) in [
            (two_way(&["a"]), "required", "items[0].words"),
            (two_way(&["a", " A "]), "duplicate", "items[0].words[1]"),
            (two_way(&["a", "!?"]), "invalid", "items[0].words[1]"),
            (two_way(&["a", "b\0"]), "invalid", "items[0].words[1]"),
            (two_way(&["a", &long]), "too_long", "items[0].words[1]"),
            (two_way(&["x"; 21]), "too_many", "items[0].words"),
            (one_way(&[], &["a"]), "required", "items[0].from"),
            (one_way(&["a"], &["a"]), "duplicate", "items[0].to[0]"),
            (SynonymDraft::default(), "invalid", "items[0]"),
        ] {
            let errors = validate_synonyms(vec![draft]).unwrap_err();
            assert_eq!((errors[0].code, errors[0].field.as_str()), (code, field));
        }
        let many = validate_synonyms(vec![two_way(&["a", "b"]); 1_001]).unwrap_err();
        assert_eq!(many[0].code, "too_many");
    }
}
