//! Patterns for pinyin and homophones.

use std::ops::Range;

use super::{
    parsed_query::{Alternative, MatchKind, Pattern},
    tokens::QueryToken,
};
use crate::text::{Script, Syllable, parse_initials, parse_syllables, readings};

/// How many adjacent tokens are read together as one pinyin or one homophone.
const WINDOW: usize = 6;
/// How many syllables several tokens together may have.
const WINDOW_SYLLABLES_MAX: usize = 8;
/// The weight of pinyin typed in so many tokens: the more of them match consecutive characters, the surer the
/// match.
const WINDOW_WEIGHTS: [f32; WINDOW] = [0.8, 0.82, 0.84, 0.86, 0.88, 0.9];
/// How many ways to split pinyin typed without spaces into words are tried.
const PARTS_MAX: usize = 8;

/// Adds pinyin patterns for each range of adjacent tokens that contains this one (`ji xie jian pan`).
///
/// A single syllable next to other tokens is ignored unless it ends the query, where it may be incomplete.
pub(crate) fn push_pinyin(tokens: &[QueryToken], index: usize, found: &mut Vec<Alternative>) {
    if !tokens[index].is_ascii_letters() {
        return;
    }
    let group = tokens[index].group;
    let belongs = |token: &QueryToken| token.is_ascii_letters() && token.group == group;
    let has_neighbour = index.checked_sub(1).is_some_and(|before| belongs(&tokens[before]))
        || tokens.get(index + 1).is_some_and(belongs);
    for range in windows(tokens, index, belongs) {
        let typing = range.end == tokens.len();
        for syllables in parse_window(&tokens[range.clone()], typing) {
            let single = syllables.len() == 1 && has_neighbour;
            if single && !typing {
                continue;
            }
            let incomplete = matches!(syllables.last(), Some(Syllable::Prefix(_)));
            let weight = match (single, incomplete) {
                (true, _) => 0.3,
                (false, true) => 0.6,
                (false, false) => WINDOW_WEIGHTS[range.len() - 1],
            };
            let kind = if incomplete { MatchKind::Prefix } else { MatchKind::Phonetic };
            let mut push = |pattern: Pattern, weight: f32| {
                found.push(Alternative { pattern, weight, covers: range.clone(), kind });
            };
            if range.len() == 1 {
                for parts in split_into_words(&syllables) {
                    push(Pattern::PinyinParts(parts), 0.75 * weight);
                }
            }
            push(Pattern::Pinyin(syllables), weight);
        }
    }
    if let Some(initials) = parse_initials(&tokens[index].text()) {
        found.push(Alternative {
            pattern: Pattern::Pinyin(initials),
            weight: 0.4,
            covers: index..index + 1,
            kind: MatchKind::Phonetic,
        });
    }
}

/// Parses consecutive tokens as pinyin. A space ends a syllable; only the last token may have several parses.
fn parse_window(tokens: &[QueryToken], typing: bool) -> Vec<Vec<Syllable>> {
    let Some((last, before)) = tokens.split_last() else { return Vec::new() };
    let mut head: Vec<Syllable> = Vec::new();
    for token in before {
        let Some(first) = parse_syllables(&token.text(), false).into_iter().next() else {
            return Vec::new();
        };
        head.extend(first);
    }
    let parses = if before.is_empty() || typing { usize::MAX } else { 1 };
    parse_syllables(&last.text(), typing)
        .into_iter()
        .take(parses)
        .map(|tail| head.iter().cloned().chain(tail).collect())
        .filter(|all: &Vec<Syllable>| before.is_empty() || all.len() <= WINDOW_SYLLABLES_MAX)
        .collect()
}

/// Splits syllables typed without spaces into words of at least two syllables: wuxian shubiao.
fn split_into_words(syllables: &[Syllable]) -> Vec<Vec<Vec<Syllable>>> {
    let mut found = Vec::new();
    for first in 2..syllables.len().saturating_sub(1) {
        let (head, tail) = syllables.split_at(first);
        found.push(vec![head.to_vec(), tail.to_vec()]);
        for mut rest in split_into_words(tail) {
            rest.insert(0, head.to_vec());
            found.push(rest);
        }
        if found.len() >= PARTS_MAX {
            break;
        }
    }
    found.truncate(PARTS_MAX);
    found
}

/// Adds homophones of Chinese words. They correct a wrong choice of the input method and traditional
/// characters.
pub(crate) fn push_homophones(tokens: &[QueryToken], index: usize, found: &mut Vec<Alternative>) {
    let group = tokens[index].group;
    let belongs = |token: &QueryToken| token.script == Script::Chinese && token.group == group;
    for range in windows(tokens, index, belongs) {
        let chars = tokens[range.clone()].iter().flat_map(|token| &token.chars);
        let pinyin: Option<Vec<Syllable>> =
            chars.map(|c| readings(*c).into_iter().next().map(Syllable::Full)).collect();
        let Some(pinyin) = pinyin.filter(|pinyin| (2..=8).contains(&pinyin.len())) else {
            continue;
        };
        found.push(Alternative {
            pattern: Pattern::Pinyin(pinyin),
            weight: 0.7,
            covers: range,
            kind: MatchKind::Phonetic,
        });
    }
}

/// The ranges of up to [`WINDOW`] adjacent tokens that belong together and contain `index`.
fn windows(
    tokens: &[QueryToken],
    index: usize,
    belongs: impl Fn(&QueryToken) -> bool,
) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for from in (0..=index).rev().take_while(|from| belongs(&tokens[*from])) {
        for to in index + 1..=tokens.len() {
            if to - from > WINDOW || !belongs(&tokens[to - 1]) {
                break;
            }
            found.push(from..to);
        }
    }
    found
}
