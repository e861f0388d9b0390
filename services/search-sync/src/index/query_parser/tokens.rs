//! Splits a query into tokens.

use std::ops::Range;

use super::WORDS_MAX;
use crate::text::{Run, Script, Separator, segment_words, split_runs};

/// A word of the query before its alternatives are known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QueryToken {
    pub(crate) script: Script,
    pub(crate) chars: Vec<char>,
    /// The parts of a connected word (`mx-400`); otherwise the word alone. Empty for Chinese.
    pub(crate) parts: Vec<String>,
    pub(crate) after_space: bool,
    /// Tokens of one group are separated by spaces at most, not by punctuation.
    pub(crate) group: usize,
}

impl QueryToken {
    pub(crate) fn text(&self) -> String {
        self.chars.iter().collect()
    }

    /// Whether it consists of the letters a to z, as pinyin does.
    pub(crate) fn is_ascii_letters(&self) -> bool {
        self.script == Script::Word && self.chars.iter().all(char::is_ascii_lowercase)
    }
}

/// The first [`WORDS_MAX`] tokens of a query.
pub(crate) fn tokenise(q: &str) -> Vec<QueryToken> {
    let mut tokens: Vec<QueryToken> = Vec::new();
    let mut group = 0;
    for run in &split_runs(q) {
        if run.separator == Separator::Break {
            group += 1;
        }
        let after_space = matches!(run.separator, Separator::Space | Separator::Break);
        match (run.script, run.separator) {
            (Script::Word, Separator::Connector(mark)) => connect(tokens.last_mut(), mark, run),
            (Script::Word, _) => tokens.push(QueryToken {
                script: Script::Word,
                chars: run.text().chars().collect(),
                parts: vec![run.text()],
                after_space,
                group,
            }),
            (Script::Chinese, _) => {
                for (from, to) in segment_words(&run.text()) {
                    tokens.push(QueryToken {
                        script: Script::Chinese,
                        chars: run.chars[from..to].iter().map(|(c, _, _)| *c).collect(),
                        parts: Vec::new(),
                        after_space: after_space && from == 0,
                        group,
                    });
                }
            }
        }
    }
    tokens.truncate(WORDS_MAX);
    tokens
}

/// Appends a connected run; only a decimal point between digits is kept.
fn connect(before: Option<&mut QueryToken>, mark: char, run: &Run) {
    let Some(token) = before else { return };
    let is_digit = |c: Option<&char>| c.is_some_and(char::is_ascii_digit);
    let first = run.chars.first().map(|(c, _, _)| c);
    if mark == '.' && is_digit(token.chars.last()) && is_digit(first) {
        token.chars.push('.');
    }
    token.chars.extend(run.chars.iter().map(|(c, _, _)| c));
    token.parts.push(run.text());
}

/// The maximal ranges of Chinese tokens of one group, with their characters.
pub(crate) fn chinese_ranges(tokens: &[QueryToken]) -> Vec<(Range<usize>, Vec<char>)> {
    let mut found: Vec<(Range<usize>, Vec<char>)> = Vec::new();
    for (index, token) in tokens.iter().enumerate().filter(|(_, t)| t.script == Script::Chinese) {
        match found.last_mut() {
            Some((range, chars))
                if range.end == index && tokens[range.start].group == token.group =>
            {
                range.end += 1;
                chars.extend(&token.chars);
            }
            _ => found.push((index..index + 1, token.chars.clone())),
        }
    }
    found
}
