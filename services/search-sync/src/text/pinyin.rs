//! Pinyin: the readings of Chinese characters, and Latin input parsed as syllables.

use std::{collections::BTreeSet, sync::LazyLock};

use pinyin::{ToPinyin as _, ToPinyinMulti as _};

/// How many readings of one character are used; rare ones come last.
const READINGS_MAX: usize = 4;
/// How many ways to split one input into syllables are returned (`xian` is xian or xi'an).
const PARSES_MAX: usize = 8;
/// How many splits of one input are tried.
const ATTEMPTS_MAX: usize = 2_000;
/// The longest input that is parsed as pinyin, in letters.
const LETTERS_MAX: usize = 36;
/// The longest syllable, in letters (`zhuang`).
const SYLLABLE_MAX: usize = 6;

/// All syllables of common characters, without tones; those with `ü` in both spellings.
static SYLLABLES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    ('\u{4e00}'..='\u{9fa5}')
        .filter_map(|c| c.to_pinyin())
        .flat_map(|reading| spellings(reading.plain()))
        .filter(|syllable| syllable.contains(['a', 'e', 'i', 'o', 'u', 'v']))
        .filter(|syllable| syllable.bytes().all(|b| b.is_ascii_lowercase()))
        .collect()
});

/// One syllable of pinyin as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Syllable {
    /// A complete syllable: `jian`.
    Full(String),
    /// The beginning of the last syllable while typing: `ji`, `zh`.
    Prefix(String),
    /// The first letter for the whole syllable: the `j` of `jxjp`.
    Initial(char),
}

impl Syllable {
    /// Whether it matches a character with these readings.
    pub(crate) fn matches(&self, readings: &[String]) -> bool {
        readings.iter().any(|reading| match self {
            Self::Full(full) => reading == full,
            Self::Prefix(prefix) => reading.starts_with(prefix.as_str()),
            Self::Initial(initial) => reading.starts_with(*initial),
        })
    }
}

/// The toneless readings of a character, the most common first. Empty where it has none.
///
/// A reading with `ü` is followed by its spelling with `u`: 绿 is `lv` and `lu`. The typed `lü` is folded to
/// `lu`.
pub(crate) fn readings(c: char) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for reading in c.to_pinyin_multi().into_iter().flatten() {
        for reading in spellings(reading.plain()) {
            if !found.contains(&reading) {
                found.push(reading);
            }
        }
        if found.len() >= READINGS_MAX {
            break;
        }
    }
    found
}

/// The spellings of a reading in the letters a to z.
fn spellings(reading: &str) -> Vec<String> {
    let reading = reading.replace('ê', "e");
    if reading.contains('ü') {
        vec![reading.replace('ü', "v"), reading.replace('ü', "u")]
    } else {
        vec![reading]
    }
}

/// Up to eight ways to parse `letters` as syllables, those with long syllables first. Empty where it is not
/// pinyin.
///
/// With `typing`, the last syllable may be incomplete.
pub(crate) fn parse_syllables(letters: &str, typing: bool) -> Vec<Vec<Syllable>> {
    let mut found = Vec::new();
    if !letters.is_empty()
        && letters.len() <= LETTERS_MAX
        && letters.bytes().all(|b| b.is_ascii_lowercase())
    {
        let mut budget = ATTEMPTS_MAX;
        parse_from(letters, typing, &mut Vec::new(), &mut found, &mut budget);
    }
    found
}

fn parse_from(
    rest: &str,
    typing: bool,
    before: &mut Vec<Syllable>,
    found: &mut Vec<Vec<Syllable>>,
    budget: &mut usize,
) {
    if rest.is_empty() {
        found.push(before.clone());
        return;
    }
    for length in (1..=rest.len().min(SYLLABLE_MAX)).rev() {
        if found.len() == PARSES_MAX || *budget == 0 {
            return;
        }
        *budget -= 1;
        let (head, tail) = rest.split_at(length);
        if SYLLABLES.contains(head) {
            before.push(Syllable::Full(head.to_owned()));
            parse_from(tail, typing, before, found, budget);
            before.pop();
        }
        if typing && tail.is_empty() && is_prefix(head) && found.len() < PARSES_MAX {
            before.push(Syllable::Prefix(head.to_owned()));
            found.push(before.clone());
            before.pop();
        }
    }
}

/// Whether a longer syllable starts with `head`.
fn is_prefix(head: &str) -> bool {
    SYLLABLES
        .range(head.to_owned()..)
        .take_while(|syllable| syllable.starts_with(head))
        .any(|syllable| syllable.len() > head.len())
}

/// Parses `letters` as the first letters of syllables (`jxjp`). `None` where it is too short, too long, or
/// has a letter that starts no syllable.
pub(crate) fn parse_initials(letters: &str) -> Option<Vec<Syllable>> {
    let plausible = (2..=12).contains(&letters.len())
        && letters.bytes().all(|b| b.is_ascii_lowercase() && !matches!(b, b'i' | b'u' | b'v'));
    plausible.then(|| letters.chars().map(Syllable::Initial).collect())
}

#[cfg(test)]
mod tests {
    use super::{PARSES_MAX, Syllable, parse_initials, parse_syllables, readings};

    fn full(syllables: &[&str]) -> Vec<Syllable> {
        syllables.iter().map(|s| Syllable::Full((*s).to_owned())).collect()
    }

    #[test]
    fn input_is_split_into_syllables() {
        assert!(
            parse_syllables("jixiejianpan", false).contains(&full(&["ji", "xie", "jian", "pan"]))
        );
        let xian = parse_syllables("xian", false);
        assert!(xian.contains(&full(&["xian"])) && xian.contains(&full(&["xi", "an"])));
    }

    #[test]
    fn u_with_dots_has_two_spellings() {
        for letters in ["lvcha", "lucha"] {
            assert!(!parse_syllables(letters, false).is_empty(), "{letters}");
        }
        assert!(parse_syllables("celve", false).contains(&full(&["ce", "lve"])));
        assert!(parse_syllables("celue", false).contains(&full(&["ce", "lue"])));
    }

    #[test]
    fn last_syllable_may_be_incomplete_while_typing() {
        let mut expected = full(&["ji", "xie"]);
        expected.push(Syllable::Prefix("j".to_owned()));
        assert!(parse_syllables("jixiej", true).contains(&expected));
        assert!(parse_syllables("jixiej", false).is_empty());
    }

    #[test]
    fn most_english_words_are_not_pinyin() {
        for word in ["aula", "razer", "keyboard", "f87", "logitech", ""] {
            assert!(parse_syllables(word, false).is_empty(), "{word}");
        }
    }

    #[test]
    fn parsing_hostile_input_is_bounded() {
        assert!(parse_syllables(&"a".repeat(10_000), true).is_empty());
        assert!(parse_syllables(&"xian".repeat(9), true).len() <= PARSES_MAX);
    }

    #[test]
    fn characters_have_several_readings() {
        assert!(readings('重').contains(&"zhong".to_owned()));
        assert!(readings('重').contains(&"chong".to_owned()));
        assert_eq!(readings('绿').first().map(String::as_str), Some("lv"));
        assert!(readings('绿').contains(&"lu".to_owned()));
        assert!(readings('a').is_empty());
    }

    #[test]
    fn initials_stand_for_syllables() {
        assert_eq!(parse_initials("jxjp").map(|found| found.len()), Some(4));
        assert_eq!(parse_initials("f87"), None);
        assert_eq!(parse_initials("usb"), None);
    }
}
