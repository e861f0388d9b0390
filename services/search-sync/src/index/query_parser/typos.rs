//! Patterns for misspelt words.

use super::{
    Vocabulary,
    parsed_query::{Alternative, MatchKind, Pattern, QueryWord},
    tokens::{QueryToken, chinese_ranges},
};
use crate::text::Script;

/// The longest Chinese sequence in which one wrong character is corrected.
const CHARACTERS_MAX: usize = 10;

/// Adds corrections of a Latin word: one edit for 5 to 8 letters, up to two for 9 to 32. Words with digits
/// are never corrected.
pub(crate) fn push_spelling_corrections<V: Vocabulary>(
    token: &QueryToken,
    index: usize,
    vocabulary: &V,
    found: &mut Vec<Alternative>,
) -> Result<(), V::Error> {
    if !token.chars.iter().all(|c| c.is_alphabetic()) {
        return Ok(());
    }
    let distances: &[u8] = match token.chars.len() {
        5..=8 => &[1],
        9..=32 => &[1, 2],
        _ => &[],
    };
    for distance in distances {
        let words = vocabulary.similar(&token.text(), *distance)?;
        if words.is_empty() {
            continue;
        }
        for word in words {
            found.push(Alternative {
                pattern: Pattern::Word(word),
                weight: if *distance == 1 { 0.6 } else { 0.4 },
                covers: index..index + 1,
                kind: MatchKind::Typo,
            });
        }
        break;
    }
    Ok(())
}

/// Adds patterns for Chinese sequences of at least four characters with one wrong, missing or extra character.
pub(crate) fn push_wrong_characters(tokens: &[QueryToken], words: &mut [QueryWord]) {
    let mut ranges = chinese_ranges(tokens);
    for (index, token) in tokens.iter().enumerate() {
        if token.script == Script::Chinese
            && !ranges.iter().any(|(range, _)| *range == (index..index + 1))
        {
            ranges.push((index..index + 1, token.chars.clone()));
        }
    }
    for (range, chars) in ranges {
        if !(4..=CHARACTERS_MAX).contains(&chars.len()) {
            continue;
        }
        for pattern in one_character_edits(&chars) {
            for word in &mut words[range.clone()] {
                word.tolerant.push(Alternative {
                    pattern: pattern.clone(),
                    weight: 0.65,
                    covers: range.clone(),
                    kind: MatchKind::Typo,
                });
            }
        }
    }
}

fn one_character_edits(chars: &[char]) -> Vec<Pattern> {
    let all = chars.len();
    let pattern = |length: usize, moved: &dyn Fn(usize) -> Option<usize>| Pattern::Characters {
        positions: chars.iter().enumerate().filter_map(|(at, c)| Some((moved(at)?, *c))).collect(),
        length,
    };
    let mut found = Vec::new();
    for wrong in 0..all {
        // The character is replaced.
        found.push(pattern(all, &|at| (at != wrong).then_some(at)));
        if wrong > 0 && wrong + 1 < all {
            // The character is extra.
            found.push(pattern(all - 1, &|at| (at != wrong).then(|| at - usize::from(at > wrong))));
        }
        if wrong > 0 {
            // A character is missing before it.
            found.push(pattern(all + 1, &|at| Some(at + usize::from(at >= wrong))));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::one_character_edits;

    #[test]
    fn each_character_may_be_replaced_extra_or_missing() {
        assert_eq!(one_character_edits(&['机', '戒', '键', '盘']).len(), 4 + 2 + 3);
    }
}
