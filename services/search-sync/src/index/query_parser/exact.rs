//! Patterns that match a query as it was typed.

use std::ops::Range;

use super::{
    parsed_query::{Alternative, MatchKind, Pattern},
    tokens::{QueryToken, chinese_ranges},
};
use crate::text::{
    NAME_WORDS_MAX, Run, Script, is_chinese, is_number, measures, other_names, singular,
    split_measure, split_runs, word_parts,
};

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
            // No title has an unknown word as a word of its dictionary.
            let weight = if token.is_unknown { 1.0 } else { 0.7 };
            push(substring(&token.chars), weight, index..index + 1);
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
    for (pattern, covers) in other_brand_names(tokens, index) {
        found.push(Alternative { pattern, weight: 0.9, covers, kind: MatchKind::BrandName });
    }
    for (word, covers) in measure_words(tokens, index) {
        let pattern = Pattern::Word(word);
        found.push(Alternative { pattern, weight: 0.9, covers, kind: MatchKind::Exact });
    }
    found
}

/// The other names of a brand that this token is a part of: razer for 雷蛇, 红牛 for red bull.
fn other_brand_names(tokens: &[QueryToken], index: usize) -> Vec<(Pattern, Range<usize>)> {
    let mut found = Vec::new();
    for first in index.saturating_sub(NAME_WORDS_MAX - 1)..=index {
        for end in index + 1..=tokens.len().min(first + NAME_WORDS_MAX) {
            let name = &tokens[first..end];
            let together = name
                .iter()
                .all(|token| token.group == name[0].group && token.script == name[0].script);
            if !together {
                continue;
            }
            let text: String = name.iter().map(QueryToken::text).collect();
            let others = other_names(&text).into_iter().flat_map(name_patterns);
            found.extend(others.map(|pattern| (pattern, first..end)));
        }
    }
    found
}

/// The patterns for a name of one or several words.
pub(super) fn name_patterns(name: &str) -> Vec<Pattern> {
    let words: Vec<String> = split_runs(name).iter().map(Run::text).collect();
    let mut found = vec![Pattern::Word(words.concat())];
    if name.chars().all(is_chinese) {
        found.push(substring(&name.chars().collect::<Vec<_>>()));
    } else if words.len() > 1 {
        found.push(Pattern::Phrase(words));
    }
    found
}

/// The other spellings of a measure that this token is, begins or ends: `65w` for 65瓦.
fn measure_words(tokens: &[QueryToken], index: usize) -> Vec<(String, Range<usize>)> {
    let text = tokens[index].text();
    if let Some((number, unit)) = split_measure(&text) {
        let words = measures(number, unit).into_iter().filter(|word| *word != text);
        return words.map(|word| (word, index..index + 1)).collect();
    }
    let first = if is_number(&text) { Some(index) } else { index.checked_sub(1) };
    let pair = first.and_then(|first| Some((first, tokens.get(first)?, tokens.get(first + 1)?)));
    let Some((first, number, unit)) = pair.filter(|(_, number, unit)| number.group == unit.group)
    else {
        return Vec::new();
    };
    let words = measures(&number.text(), &unit.text()).into_iter();
    words.map(|word| (word, first..first + 2)).collect()
}

/// The parts of a Chinese word, each at the edge of any word of the text; the last part ends one.
pub(crate) fn apart_alternatives(token: &QueryToken, index: usize) -> Vec<Alternative> {
    if token.script != Script::Chinese {
        return Vec::new();
    }
    let parts: Vec<Pattern> = word_parts(&token.chars)
        .into_iter()
        .map(|(from, to)| match &token.chars[from..to] {
            [character] => Pattern::Edge { character: *character, end: to == token.chars.len() },
            part => substring(part),
        })
        .collect();
    if parts.is_empty() {
        return Vec::new();
    }
    let covers = index..index + 1;
    vec![Alternative { pattern: Pattern::All(parts), weight: 0.5, covers, kind: MatchKind::Apart }]
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
    let mut found = Vec::new();
    if token.parts.len() > 1 {
        found.push(token.parts.clone());
    }
    let boundaries: Vec<usize> = token
        .chars
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0].is_numeric() != pair[1].is_numeric())
        .map(|(before, _)| before + 1)
        .collect();
    if !token.chars.iter().all(|c| c.is_alphanumeric()) || boundaries.len() > 3 {
        return found;
    }
    // Each non-empty subset of the boundaries is one split; the bits of `subset` select them.
    let subsets = (1..1_usize << boundaries.len())
        .map(|subset| {
            let selected = boundaries.iter().enumerate().filter(|(bit, _)| subset >> bit & 1 == 1);
            let mut ends: Vec<usize> = selected.map(|(_, boundary)| *boundary).collect();
            ends.push(token.chars.len());
            let mut from = 0;
            ends.into_iter()
                .map(|to| token.chars[std::mem::replace(&mut from, to)..to].iter().collect())
                .collect()
        })
        .take(SPLITS_MAX);
    for split in subsets {
        if !found.contains(&split) {
            found.push(split);
        }
    }
    found
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
