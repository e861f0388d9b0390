//! Chinese characters, and word segmentation with a dictionary.

use std::sync::LazyLock;

use jieba_rs::Jieba;

/// Unpacked at the first use and kept for the life of the process.
static DICTIONARY: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// Whether `c` is an ideograph; Chinese punctuation is not.
pub(crate) fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}'
        | '々' | '〇')
}

/// Segments a run of Chinese characters into words, as consecutive character ranges.
///
/// Unknown words become single characters. The hidden Markov model stays off: its guesses depend on the
/// neighbours, so it would segment a title and a query differently.
pub(crate) fn segment_words(run: &str) -> Vec<(usize, usize)> {
    DICTIONARY.cut(run, false).iter().map(|token| (token.start, token.end)).collect()
}

/// Whether a character stands for grammar and not for a thing.
pub(crate) fn is_function_word(c: char) -> bool {
    matches!(c, '的' | '和' | '与' | '及' | '或' | '之')
}

/// The ranges of adjacent words of one character. Most are words that the dictionary lacks: names of brands
/// (红米), and new compounds (男鞋).
pub(crate) fn unknown_words(chars: &[char], words: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let single = |(from, to): &(usize, usize)| to - from == 1 && !is_function_word(chars[*from]);
    for (from, to) in words.iter().copied().filter(|word| single(word)) {
        match found.last_mut() {
            Some((_, end)) if *end == from => *end = to,
            _ => found.push((from, to)),
        }
    }
    found.retain(|(from, to)| to - from > 1);
    found
}

/// The parts of a word that may stand apart in a title: 女 and 鞋 of 女鞋, 登山 and 鞋 of 登山鞋. Empty where it
/// has none.
pub(crate) fn word_parts(word: &[char]) -> Vec<(usize, usize)> {
    let known =
        |from: usize, to: usize| DICTIONARY.has_word(&word[from..to].iter().collect::<String>());
    match word.len() {
        2 => vec![(0, 1), (1, 2)],
        3 if known(0, 2) => vec![(0, 2), (2, 3)],
        3 if known(1, 3) => vec![(0, 1), (1, 3)],
        3 => vec![(0, 1), (1, 2), (2, 3)],
        4 if known(0, 2) && known(2, 4) => vec![(0, 2), (2, 4)],
        _ => Vec::new(),
    }
}

/// The shorter dictionary words inside one word, as character ranges within it: 机械键盘 contains 机械 and 键盘.
pub(super) fn inner_words(word: &[char]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for length in [2, 3] {
        if word.len() <= length {
            continue;
        }
        for (start, part) in word.windows(length).enumerate() {
            if DICTIONARY.has_word(&part.iter().collect::<String>()) {
                found.push((start, start + length));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{is_chinese, segment_words, unknown_words, word_parts};

    #[test]
    fn words_are_consecutive() {
        assert_eq!(segment_words("无线鼠标"), [(0, 2), (2, 4)]);
    }

    #[test]
    fn unknown_words_become_characters() {
        let words = segment_words("狼蛛键盘");
        assert_eq!(words.last(), Some(&(2, 4)));
        assert_eq!(words.first().map(|range| range.0), Some(0));
    }

    #[test]
    fn adjacent_unknown_characters_are_one_word() {
        let unknown = |text: &str| {
            let chars: Vec<char> = text.chars().collect();
            unknown_words(&chars, &segment_words(text))
        };
        assert_eq!(unknown("红米手机"), [(0, 2)]);
        assert_eq!(unknown("无线鼠标"), []);
        assert_eq!(unknown("红色的锅"), []);
    }

    #[test]
    fn a_word_has_parts() {
        let parts = |word: &str| word_parts(&word.chars().collect::<Vec<_>>());
        assert_eq!(parts("女鞋"), [(0, 1), (1, 2)]);
        assert_eq!(parts("登山鞋"), [(0, 2), (2, 3)]);
        assert_eq!(parts("鞋"), []);
    }

    #[test]
    fn punctuation_is_not_chinese() {
        assert!(is_chinese('键'));
        assert!(!is_chinese('。'));
        assert!(!is_chinese('a'));
    }
}
