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
    use super::{is_chinese, segment_words};

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
    fn punctuation_is_not_chinese() {
        assert!(is_chinese('键'));
        assert!(!is_chinese('。'));
        assert!(!is_chinese('a'));
    }
}
