//! Patterns for words that are typed without the spaces between them.

use std::ops::RangeInclusive;

use super::{
    Vocabulary,
    parsed_query::{Alternative, MatchKind, Pattern},
    tokens::QueryToken,
};

/// The shortest and the longest sequence of letters that is divided.
const LETTERS: RangeInclusive<usize> = 5..=24;
/// The shortest word of a division, in letters.
const WORD_MIN: usize = 2;
/// How many words a sequence of letters is divided into at most.
const WORDS_MAX: usize = 4;
/// How many divisions of one token are tried.
const DIVISIONS_MAX: usize = 8;

/// Divides a word by the vocabulary of the index: `redbull` is red bull, `iphone15promax` iphone 15 pro max.
///
/// A title must contain the words as a phrase, so an accidental division finds nothing.
pub(crate) fn push_divisions<V: Vocabulary>(
    token: &QueryToken,
    index: usize,
    vocabulary: &V,
    found: &mut Vec<Alternative>,
) -> Result<(), V::Error> {
    let mut phrases: Vec<Vec<String>> = vec![Vec::new()];
    for piece in &token.parts {
        let mut ways = divisions(piece, vocabulary)?;
        ways.push(vec![piece.clone()]);
        phrases = phrases
            .iter()
            .flat_map(|before| ways.iter().map(|way| [before.as_slice(), way].concat()))
            .take(DIVISIONS_MAX)
            .collect();
    }
    for words in phrases.into_iter().filter(|words| words.len() > token.parts.len()) {
        found.push(Alternative {
            pattern: Pattern::Phrase(words),
            weight: 0.8,
            covers: index..index + 1,
            kind: MatchKind::Typo,
        });
    }
    Ok(())
}

/// The ways to divide letters into words of the vocabulary, those with the fewest words first.
fn divisions<V: Vocabulary>(letters: &str, vocabulary: &V) -> Result<Vec<Vec<String>>, V::Error> {
    let mut found = Vec::new();
    if LETTERS.contains(&letters.len()) && letters.bytes().all(|b| b.is_ascii_lowercase()) {
        divide(letters, vocabulary, &mut Vec::new(), &mut found)?;
    }
    found.sort_by_key(Vec::len);
    found.truncate(DIVISIONS_MAX);
    Ok(found)
}

fn divide<V: Vocabulary>(
    rest: &str,
    vocabulary: &V,
    before: &mut Vec<String>,
    found: &mut Vec<Vec<String>>,
) -> Result<(), V::Error> {
    if !before.is_empty() && vocabulary.contains(rest)? {
        found.push([before.as_slice(), &[rest.to_owned()]].concat());
    }
    if before.len() + 1 == WORDS_MAX {
        return Ok(());
    }
    for end in WORD_MIN..=rest.len().saturating_sub(WORD_MIN) {
        let (word, after) = rest.split_at(end);
        if found.len() < DIVISIONS_MAX && vocabulary.contains(word)? {
            before.push(word.to_owned());
            divide(after, vocabulary, before, found)?;
            before.pop();
        }
    }
    Ok(())
}
