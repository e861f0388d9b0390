//! Chinese characters and the dictionary that cuts them into words.

use std::sync::LazyLock;

use jieba_rs::Jieba;

/// The dictionary, unpacked at the first use and kept for the life of the process.
static DICTIONARY: LazyLock<Jieba> = LazyLock::new(Jieba::new);

/// Whether `c` is a Chinese character (an ideograph, not its punctuation).
pub fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}'
        | '々' | '〇')
}

/// Cuts a run of Chinese characters into words, as character ranges that follow one another.
///
/// Words that the dictionary does not know are left as single characters (no guessing by a hidden Markov model): a guess
/// depends on the neighbours, so a title and a query would be cut differently.
pub fn cut(run: &str) -> Vec<(usize, usize)> {
    DICTIONARY.cut(run, false).iter().map(|token| (token.start, token.end)).collect()
}

/// The shorter dictionary words inside of one word, as character ranges within it: 机械键盘 holds 机械 and 键盘.
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
    use super::*;

    #[test]
    fn words_follow_one_another() {
        assert_eq!(cut("无线鼠标"), [(0, 2), (2, 4)]);
    }

    #[test]
    fn unknown_words_fall_to_characters() {
        let cuts = cut("狼蛛键盘");
        assert_eq!(cuts.last(), Some(&(2, 4)));
        assert_eq!(cuts.first().map(|range| range.0), Some(0));
    }

    #[test]
    fn punctuation_is_not_chinese() {
        assert!(is_chinese('键'));
        assert!(!is_chinese('。'));
        assert!(!is_chinese('a'));
    }
}
