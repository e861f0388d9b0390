//! Text analysis: splits a title or a query into runs of one script, and these into words, characters and
//! syllables.
//!
//! Indexing, searching and highlighting share this analysis, so a query finds and marks exactly what was
//! indexed. Chinese text fills three index fields: dictionary words, characters (so that every substring is a
//! phrase) and toneless pinyin (every reading of every character).

mod chinese;
mod normalise;
mod pinyin;
mod runs;
mod tokens;

pub(crate) use chinese::{is_chinese, segment_words};
pub(crate) use normalise::{normalise, normalise_char};
pub(crate) use pinyin::{Syllable, parse_initials, parse_syllables, readings};
pub(crate) use runs::{Run, Script, Separator, split_runs};
pub use tokens::{Token, word_tokens};
pub(crate) use tokens::{character_tokens, pinyin_tokens, singular};
