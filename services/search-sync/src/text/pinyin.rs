//! Chinese by its sound: the readings of characters, and Latin input understood as pinyin.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use pinyin::{ToPinyin as _, ToPinyinMulti as _};

/// How many readings of one character count; rare ones come last.
const READINGS_MAX: usize = 4;
/// How many ways of cutting one input into syllables are followed (`xian` is xian or xi'an).
const PARSES_MAX: usize = 8;
/// The longest input in letters that is read as pinyin.
const LETTERS_MAX: usize = 36;
/// The longest syllable in letters (`zhuang`).
const SYLLABLE_MAX: usize = 6;

/// All syllables of everyday characters, without tones.
static SYLLABLES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    ('\u{4e00}'..='\u{9fa5}')
        .filter_map(|c| c.to_pinyin())
        .map(|reading| plain(reading.plain()))
        .filter(|syllable| syllable.contains(['a', 'e', 'i', 'o', 'u', 'v']))
        .filter(|syllable| syllable.bytes().all(|b| b.is_ascii_lowercase()))
        .collect()
});

/// A piece of pinyin as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Syllable {
    /// A whole syllable: `jian`.
    Whole(String),
    /// The first letters of one, as the last piece of what is still being typed: `ji`, `zh`.
    Begun(String),
    /// The first letter alone standing for the syllable: the `j` of `jxjp`.
    Initial(char),
}

impl Syllable {
    /// Whether a character with these readings is meant.
    pub fn is_read(&self, readings: &[String]) -> bool {
        readings.iter().any(|reading| match self {
            Self::Whole(whole) => reading == whole,
            Self::Begun(begun) => reading.starts_with(begun.as_str()),
            Self::Initial(initial) => reading.starts_with(*initial),
        })
    }
}

/// The toneless readings of a character, the most usual first; empty where it has none. `ü` is written `v`.
pub fn readings(c: char) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for reading in c.to_pinyin_multi().into_iter().flatten() {
        let reading = plain(reading.plain());
        if !found.contains(&reading) {
            found.push(reading);
        }
        if found.len() == READINGS_MAX {
            break;
        }
    }
    found
}

fn plain(reading: &str) -> String {
    reading.replace('ü', "v").replace('ê', "e")
}

/// The ways to read `letters` as syllables; none where it is no pinyin.
///
/// With `typing`, the last piece may be the beginning of a syllable. At most eight ways are given, those with long
/// syllables first.
pub fn parse_syllables(letters: &str, typing: bool) -> Vec<Vec<Syllable>> {
    let mut found = Vec::new();
    if !letters.is_empty()
        && letters.len() <= LETTERS_MAX
        && letters.bytes().all(|b| b.is_ascii_lowercase())
    {
        let mut budget = 2_000;
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
            before.push(Syllable::Whole(head.to_owned()));
            parse_from(tail, typing, before, found, budget);
            before.pop();
        }
        if typing && tail.is_empty() && is_begun(head) && found.len() < PARSES_MAX {
            before.push(Syllable::Begun(head.to_owned()));
            found.push(before.clone());
            before.pop();
        }
    }
}

/// Whether some longer syllable begins with `head`.
fn is_begun(head: &str) -> bool {
    SYLLABLES
        .range(head.to_owned()..)
        .take_while(|syllable| syllable.starts_with(head))
        .any(|syllable| syllable.len() > head.len())
}

/// `letters` as first letters of syllables (`jxjp`); none where it is too short or too long to mean that, or where a
/// letter begins no syllable.
pub fn initials(letters: &str) -> Option<Vec<Syllable>> {
    let plausible = (2..=12).contains(&letters.len())
        && letters.bytes().all(|b| b.is_ascii_lowercase() && !matches!(b, b'i' | b'u' | b'v'));
    plausible.then(|| letters.chars().map(Syllable::Initial).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(syllables: &[&str]) -> Vec<Syllable> {
        syllables.iter().map(|s| Syllable::Whole((*s).to_owned())).collect()
    }

    #[test]
    fn input_is_cut_into_syllables() {
        assert!(
            parse_syllables("jixiejianpan", false).contains(&whole(&["ji", "xie", "jian", "pan"]))
        );
        let xian = parse_syllables("xian", false);
        assert!(xian.contains(&whole(&["xian"])) && xian.contains(&whole(&["xi", "an"])));
    }

    #[test]
    fn what_is_being_typed_may_end_in_the_middle() {
        let mut expected = whole(&["ji", "xie"]);
        expected.push(Syllable::Begun("j".to_owned()));
        assert!(parse_syllables("jixiej", true).contains(&expected));
        assert!(parse_syllables("jixiej", false).is_empty());
    }

    #[test]
    fn english_is_mostly_no_pinyin() {
        for word in ["aula", "razer", "keyboard", "f87", "logitech", ""] {
            assert!(parse_syllables(word, false).is_empty(), "{word}");
        }
    }

    #[test]
    fn hostile_input_is_bounded() {
        assert!(parse_syllables(&"a".repeat(10_000), true).is_empty());
        assert!(parse_syllables(&"xian".repeat(9), true).len() <= PARSES_MAX);
    }

    #[test]
    fn characters_have_several_readings() {
        assert!(readings('重').contains(&"zhong".to_owned()));
        assert!(readings('重').contains(&"chong".to_owned()));
        assert_eq!(readings('绿').first().map(String::as_str), Some("lv"));
        assert!(readings('a').is_empty());
    }

    #[test]
    fn first_letters_stand_for_syllables() {
        assert_eq!(initials("jxjp").map(|found| found.len()), Some(4));
        assert_eq!(initials("f87"), None);
        assert_eq!(initials("usb"), None);
    }
}
