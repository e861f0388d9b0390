//! Splits a query into tokens.

use std::ops::Range;

use super::WORDS_MAX;
use crate::text::{
    Run, Script, Separator, is_number, is_unit, pieces, segment_words, split_runs, unknown_words,
};

/// A word of the query before its alternatives are known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct QueryToken {
    pub(crate) script: Script,
    pub(crate) chars: Vec<char>,
    /// The pieces of a word of letters and digits (`mx-400`, `rtx4060ti`). Empty for Chinese.
    pub(crate) parts: Vec<String>,
    /// Whether it is a Chinese word that the dictionary lacks.
    pub(crate) is_unknown: bool,
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
                chars: run_chars(run),
                parts: pieces(&run_chars(run)),
                is_unknown: false,
                after_space,
                group,
            }),
            (Script::Chinese, _) => {
                let after_number = run.separator != Separator::Break
                    && tokens.last().is_some_and(|before| is_number(&before.text()));
                for (from, to, is_unknown) in chinese_words(run, after_number) {
                    tokens.push(QueryToken {
                        script: Script::Chinese,
                        chars: run_chars(run)[from..to].to_vec(),
                        parts: Vec::new(),
                        is_unknown,
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

fn run_chars(run: &Run) -> Vec<char> {
    run.chars.iter().map(|(c, _, _)| *c).collect()
}

/// The words of a run as character ranges, and whether the dictionary lacks them: adjacent characters that are
/// no words (红米) stay together. A unit behind a number is a word of its own.
fn chinese_words(run: &Run, after_number: bool) -> Vec<(usize, usize, bool)> {
    let chars = run_chars(run);
    let words = segment_words(&run.text());
    let first = words.first().filter(|(from, to)| {
        after_number && is_unit(&chars[*from..*to].iter().collect::<String>())
    });
    let rest = if first.is_some() { &words[1..] } else { &words[..] };
    let unknown = unknown_words(&chars, rest);
    let known = first
        .into_iter()
        .chain(rest)
        .filter(|(from, _)| !unknown.iter().any(|(first, end)| (*first..*end).contains(from)));
    let mut found: Vec<(usize, usize, bool)> =
        known.map(|(from, to)| (*from, *to, false)).collect();
    found.extend(unknown.iter().map(|(from, to)| (*from, *to, true)));
    found.sort_unstable();
    found
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
    token.parts.extend(pieces(&run_chars(run)));
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
