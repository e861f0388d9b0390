//! Patterns for misspelt words.

use super::{
    Vocabulary,
    parsed_query::{Alternative, MatchKind, Pattern, QueryWord},
    tokens::{QueryToken, chinese_ranges},
};
use crate::text::Script;

/// The shortest Chinese sequence in which one wrong character is corrected.
const CHARACTERS_MIN: usize = 3;
/// The longest one.
const CHARACTERS_MAX: usize = 10;
/// The shortest Chinese sequence in which a missing or an extra character is corrected.
const SHIFTED_MIN: usize = 4;
/// Less than that of a homophone: most people type Chinese by its sound.
const WRONG_CHARACTER: f32 = 0.5;
/// Less than that of the parts of a word in different places.
const TWO_OF_THREE: f32 = 0.3;

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

/// Adds patterns for Chinese sequences with one wrong character; in those of at least four also with one missing or
/// extra character.
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
        if !(CHARACTERS_MIN..=CHARACTERS_MAX).contains(&chars.len()) {
            continue;
        }
        for pattern in one_character_edits(&chars) {
            for word in &mut words[range.clone()] {
                // Two of three characters are a guess.
                let (found, weight) = if chars.len() < SHIFTED_MIN {
                    (&mut word.apart, TWO_OF_THREE)
                } else {
                    (&mut word.tolerant, WRONG_CHARACTER)
                };
                found.push(Alternative {
                    pattern: pattern.clone(),
                    weight,
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
        if all < SHIFTED_MIN {
            continue;
        }
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
        assert_eq!(one_character_edits(&['电', '钣', '煲']).len(), 3);
    }
}
