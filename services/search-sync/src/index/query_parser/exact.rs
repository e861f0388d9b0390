//! Patterns that match a query as it was typed.

use std::ops::Range;

use super::{
    parsed_query::{Alternative, MatchKind, Pattern},
    tokens::{QueryToken, chinese_ranges},
};
use crate::text::{Script, singular};

/// How many ways to split a word of letters and digits are tried.
const SPLITS_MAX: usize = 7;

/// The alternatives that stand for exactly the token at `index`.
pub(crate) fn exact_alternatives(tokens: &[QueryToken], index: usize) -> Vec<Alternative> {
    let token = &tokens[index];
    let text = token.text();
    let mut found = Vec::new();
    let mut push = |pattern: Pattern, weight: f32, covers: Range<usize>| {
        found.push(Alternative { pattern, weight, covers, kind: MatchKind::Exact });
    };
    match token.script {
        Script::Chinese => {
            push(Pattern::Word(text), 1.0, index..index + 1);
            push(substring(&token.chars), 0.7, index..index + 1);
        }
        Script::Word => {
            if let Some(singular) = singular(&text) {
                push(Pattern::Word(singular), 0.95, index..index + 1);
            }
            for parts in splits(token) {
                push(Pattern::Phrase(parts), 0.9, index..index + 1);
            }
            for (pattern, covers) in joined_with_neighbour(tokens, index, true) {
                push(pattern, 0.9, covers);
            }
            push(Pattern::Word(text), 1.0, index..index + 1);
        }
    }
    found
}

/// The token joined with its predecessor or successor. With `digits` one of the two contains a digit
/// (`iphone 15` as iphone15), otherwise none does (`head set` as headset).
pub(crate) fn joined_with_neighbour(
    tokens: &[QueryToken],
    index: usize,
    digits: bool,
) -> Vec<(Pattern, Range<usize>)> {
    let pairs = [index.checked_sub(1).map(|before| (before, index)), Some((index, index + 1))];
    let fits = |first: &QueryToken, second: &QueryToken| {
        let mut chars = first.chars.iter().chain(&second.chars);
        first.group == second.group
            && first.script == Script::Word
            && second.script == Script::Word
            && chars.any(char::is_ascii_digit) == digits
    };
    pairs
        .into_iter()
        .flatten()
        .filter_map(|(first, second)| Some((first, tokens.get(first)?, tokens.get(second)?)))
        .filter(|(_, first, second)| fits(first, second))
        .map(|(at, first, second)| (Pattern::Word(first.text() + &second.text()), at..at + 2))
        .collect()
}

/// The ways in which a title may split a word: `mx-400` as mx 400, `iphone15` as iphone 15.
fn splits(token: &QueryToken) -> Vec<Vec<String>> {
    if token.parts.len() > 1 {
        return vec![token.parts.clone()];
    }
    let boundaries: Vec<usize> = token
        .chars
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0].is_numeric() != pair[1].is_numeric())
        .map(|(before, _)| before + 1)
        .collect();
    if boundaries.is_empty() || boundaries.len() > 3 {
        return Vec::new();
    }
    // Each non-empty subset of the boundaries is one split; the bits of `subset` select them.
    (1..1_usize << boundaries.len())
        .map(|subset| {
            let selected = boundaries.iter().enumerate().filter(|(bit, _)| subset >> bit & 1 == 1);
            let mut ends: Vec<usize> = selected.map(|(_, boundary)| *boundary).collect();
            ends.push(token.chars.len());
            let mut from = 0;
            ends.into_iter()
                .map(|to| token.chars[std::mem::replace(&mut from, to)..to].iter().collect())
                .collect()
        })
        .take(SPLITS_MAX)
        .collect()
}

/// The phrases of the query: pairs of adjacent words, and sequences of Chinese words.
pub(crate) fn phrases(tokens: &[QueryToken]) -> Vec<Pattern> {
    let mut found = Vec::new();
    for pair in tokens.windows(2) {
        if pair.iter().all(|token| token.script == Script::Word) {
            let words = pair.iter().flat_map(|token| token.parts.clone()).collect();
            found.push(Pattern::Phrase(words));
        }
    }
    for (range, chars) in chinese_ranges(tokens) {
        if range.len() > 1 {
            found.push(substring(&chars));
        }
    }
    found
}

/// The pattern of consecutive characters.
fn substring(chars: &[char]) -> Pattern {
    let positions = chars.iter().copied().enumerate().collect();
    Pattern::Characters { positions, length: chars.len() }
}
