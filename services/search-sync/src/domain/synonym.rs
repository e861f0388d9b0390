//! Synonyms as product-catalog publishes them.

/// The key of the list of synonyms among the settings.
pub const SYNONYMS: &str = "synonyms";

/// The bounds of a list: a larger one is not an edited list.
const SYNONYMS_MAX: usize = 10_000;
const WORDS_MAX: usize = 100;
/// In characters.
const WORD_MAX: usize = 200;

/// Words with the same meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Synonym {
    /// A query with one of the words also finds the others.
    TwoWay(Vec<String>),
    /// A query with a word of `from` also finds those of `to`, but not the other way round.
    OneWay { from: Vec<String>, to: Vec<String> },
}

/// Why a list of synonyms is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSynonyms {
    #[error("the list has more than {SYNONYMS_MAX} entries")]
    TooMany,
    #[error("an entry has no words, or more than {WORDS_MAX}")]
    Words,
    #[error("a word is blank, or longer than {WORD_MAX} characters")]
    Word,
}

impl Synonym {
    /// The words that find others, and the words that they find.
    pub(crate) fn sides(&self) -> (&[String], &[String]) {
        match self {
            Self::TwoWay(words) => (words, words),
            Self::OneWay { from, to } => (from, to),
        }
    }
}

/// Checks a list that another service has published.
pub(crate) fn check_synonyms(synonyms: &[Synonym]) -> Result<(), InvalidSynonyms> {
    if synonyms.len() > SYNONYMS_MAX {
        return Err(InvalidSynonyms::TooMany);
    }
    for synonym in synonyms {
        let (from, to) = synonym.sides();
        if [from, to].iter().any(|words| words.is_empty() || words.len() > WORDS_MAX) {
            return Err(InvalidSynonyms::Words);
        }
        let fits = |word: &String| !word.trim().is_empty() && word.chars().nth(WORD_MAX).is_none();
        if !from.iter().chain(to).all(fits) {
            return Err(InvalidSynonyms::Word);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{InvalidSynonyms, Synonym, check_synonyms};

    #[test]
    fn tampered_lists_are_refused() {
        let two_way = |words: &[&str]| {
            vec![Synonym::TwoWay(words.iter().map(|word| (*word).to_owned()).collect())]
        };
        assert_eq!(check_synonyms(&two_way(&["书包", "双肩包"])), Ok(()));
        assert_eq!(check_synonyms(&[]), Ok(()));
        let long = "长".repeat(201);
        for (list, error) in [
            (two_way(&[]), InvalidSynonyms::Words),
            (two_way(&["a"; 101]), InvalidSynonyms::Words),
            (two_way(&["a", " "]), InvalidSynonyms::Word),
            (two_way(&["a", &long]), InvalidSynonyms::Word),
            (vec![Synonym::TwoWay(Vec::new()); 10_001], InvalidSynonyms::TooMany),
            (
                vec![Synonym::OneWay { from: vec!["a".to_owned()], to: Vec::new() }],
                InvalidSynonyms::Words,
            ),
        ] {
            assert_eq!(check_synonyms(&list), Err(error));
        }
    }
}
