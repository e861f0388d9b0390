//! Text analysis: splits a title or a query into runs of one script, and these into words, characters and
//! syllables.
//!
//! Indexing, searching and highlighting share this analysis, so a query finds and marks exactly what was
//! indexed. Chinese text fills three index fields: dictionary words, characters (so that every substring is a
//! phrase) and toneless pinyin (every reading of every character).

mod brands;
mod chinese;
mod folding;
mod heads;
mod measures;
mod pinyin;
mod price_words;
mod runs;
mod tokens;

pub(crate) use brands::{NAME_WORDS_MAX, other_names};
pub(crate) use chinese::{is_chinese, segment_words, unknown_words, word_parts};
pub(crate) use folding::{fold, fold_char};
pub(crate) use heads::{name_heads, query_heads, title_heads};
pub(crate) use measures::{Measure, is_number, is_unit, measures, read_measure, split_measure};
pub(crate) use pinyin::{Syllable, parse_initials, parse_syllables, readings};
pub(crate) use price_words::{PriceOrder, PriceWords, price_words};
pub(crate) use runs::{Run, Script, Separator, split_runs};
pub use tokens::{Token, word_tokens};
pub(crate) use tokens::{
    character_tokens, edge_token, end_token, pieces, pinyin_tokens, singular, spelling_tokens,
    value_tokens,
};
