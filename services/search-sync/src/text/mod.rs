//! What a title or a query consists of: runs of Chinese and runs of letters and digits, cut into words, characters and
//! syllables. The same analysis serves indexing, searching and highlighting, so that what was indexed is what is found
//! and what is marked.
//!
//! Chinese is looked at in three ways, each a field of its own in the index: as dictionary words, as characters (every
//! substring is a phrase of them) and as toneless pinyin (every reading of every character).

mod chinese;
mod normalise;
mod pinyin;
mod runs;
mod words;

pub use chinese::{cut, is_chinese};
pub use normalise::{normalise, normalise_char};
pub use pinyin::{Syllable, initials, parse_syllables, readings};
pub use runs::{Joint, Run, Script, runs};
pub use words::{Token, characters, singular, syllables, words};
