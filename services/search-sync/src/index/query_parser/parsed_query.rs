//! The result of parsing a query.

use std::ops::Range;

use crate::text::Syllable;

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ParsedQuery {
    pub(crate) words: Vec<QueryWord>,
    /// Whether nothing visible was typed.
    pub(crate) is_blank: bool,
    /// Adjacent words of the query; titles that contain them as a phrase rank higher.
    pub(crate) phrases: Vec<Pattern>,
    /// The query as a SKU or barcode.
    pub(crate) code: String,
}

impl ParsedQuery {
    /// Whether any word has parts that may stand apart.
    pub(crate) fn has_parts(&self) -> bool {
        self.words.iter().any(|word| !word.apart.is_empty())
    }
}

/// One word of a query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QueryWord {
    /// The folded text.
    pub(crate) typed: String,
    /// Whether a space precedes it.
    pub(crate) after_space: bool,
    /// Stop words need not match.
    pub(crate) is_stop_word: bool,
    /// Patterns for exactly this word.
    pub(crate) exact: Vec<Alternative>,
    /// Patterns for what the shopper may have meant, the most likely first.
    pub(crate) tolerant: Vec<Alternative>,
    /// Patterns for the parts of a Chinese word, apart from each other.
    pub(crate) apart: Vec<Alternative>,
}

/// One way to match a word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alternative {
    pub(crate) pattern: Pattern,
    /// The score of a match relative to an exact one, 0 to 1.
    pub(crate) weight: f32,
    /// The words of the query that it replaces.
    pub(crate) covers: Range<usize>,
    pub(crate) kind: MatchKind,
}

/// Why an alternative is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MatchKind {
    Exact,
    /// The text has another name of a brand.
    BrandName,
    /// The text has a synonym.
    Synonym,
    /// The typed text is the beginning of a word.
    Prefix,
    /// The typed text is misspelt.
    Typo,
    /// The typed text is pinyin or a homophone.
    Phonetic,
    /// The parts of the typed word are in the text, but not together.
    Apart,
}

/// What to look for in a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pattern {
    Word(String),
    /// Consecutive words.
    Phrase(Vec<String>),
    /// Chinese characters at given positions of a substring; any character may stand at the other positions.
    Characters {
        positions: Vec<(usize, char)>,
        /// The length of the substring, in characters.
        length: usize,
    },
    /// A Chinese character that begins or ends a word; with `end`, it ends one.
    Edge {
        character: char,
        end: bool,
    },
    /// All of these, in any place and order.
    All(Vec<Pattern>),
    /// Consecutive Chinese characters with this pronunciation.
    Pinyin(Vec<Syllable>),
    /// Several such sequences, in any place and order.
    PinyinParts(Vec<Vec<Syllable>>),
}
