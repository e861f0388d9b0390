//! The second cut: runs into what the fields of the index hold.

use super::chinese::{cut, inner_words};
use super::pinyin::readings;
use super::runs::{Joint, Run, Script, runs};

/// The longest token in characters; what is longer is no word anybody types.
const TOKEN_MAX: usize = 64;
/// How many connected words are also taken as one (`a-b-c-d`).
const CONNECTED_MAX: usize = 4;

/// One entry of an index field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What is indexed.
    pub text: String,
    /// Where it begins in the original, in bytes.
    pub start: usize,
    /// Where it ends in the original, in bytes.
    pub end: usize,
    /// The place in the row of tokens; several spellings of one word share it, a gap keeps phrases apart.
    pub position: usize,
}

/// The words of a text, for indexing: dictionary words with the shorter ones inside of them, letters and digits as they
/// stand (`f87` is one word), plurals also in the singular, connected words also as one (`mx-400`: mx, 400, mx400).
pub fn words(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut position = 0;
    let all = runs(text);
    for (index, run) in all.iter().enumerate() {
        match run.script {
            Script::Chinese => push_chinese(run, &mut position, &mut tokens),
            Script::Word => {
                push_word(&run.text(), run.start(), run.end(), position, &mut tokens);
                push_connected(&all[index..], position, &mut tokens);
                position += 1;
            }
        }
    }
    tokens
}

fn push_chinese(run: &Run, position: &mut usize, tokens: &mut Vec<Token>) {
    let chars: Vec<char> = run.chars.iter().map(|(c, _, _)| *c).collect();
    let mut push = |from: usize, to: usize, position: usize| {
        tokens.push(Token {
            text: chars[from..to].iter().collect(),
            start: run.chars[from].1,
            end: run.chars[to - 1].2,
            position,
        });
    };
    for (from, to) in cut(&run.text()) {
        push(from, to, *position);
        for (inner_from, inner_to) in inner_words(&chars[from..to]) {
            push(from + inner_from, from + inner_to, *position);
        }
        *position += 1;
    }
}

fn push_word(text: &str, start: usize, end: usize, position: usize, tokens: &mut Vec<Token>) {
    if text.chars().count() > TOKEN_MAX {
        return;
    }
    tokens.push(Token { text: text.to_owned(), start, end, position });
    if let Some(singular) = singular(text) {
        tokens.push(Token { text: singular, start, end, position });
    }
}

/// The words that hang together with the first one, as one word at its place. Only from the head of the chain.
fn push_connected(from: &[Run], position: usize, tokens: &mut Vec<Token>) {
    let Some((head, tail)) = from.split_first() else { return };
    if matches!(head.joint, Joint::Connected(_)) {
        return;
    }
    let mut text = head.text();
    let mut end = head.end();
    let mut count = 1;
    for run in tail.iter().take(CONNECTED_MAX - 1) {
        let Joint::Connected(mark) = run.joint else { break };
        push_mark(&mut text, mark, run);
        text.push_str(&run.text());
        end = run.end();
        count += 1;
    }
    if count > 1 && text.chars().count() <= TOKEN_MAX {
        tokens.push(Token { text, start: head.start(), end, position });
    }
}

/// Between digits a point is part of the number (`4.7` is not 47); every other mark is dropped.
pub(super) fn push_mark(text: &mut String, mark: char, after: &Run) {
    let number = text.ends_with(|c: char| c.is_ascii_digit())
        && after.chars.first().is_some_and(|(c, _, _)| c.is_ascii_digit());
    if mark == '.' && number {
        text.push('.');
    }
}

/// The singular of an English plural, where the ending looks like one: keyboards, batteries, switches.
pub fn singular(word: &str) -> Option<String> {
    if word.len() < 4 || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return None;
    }
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 2) {
        return Some(format!("{stem}y"));
    }
    for ending in ["sses", "xes", "ches", "shes"] {
        if word.ends_with(ending) {
            return word.strip_suffix("es").map(str::to_owned);
        }
    }
    if ["ss", "us", "is"].iter().any(|ending| word.ends_with(ending)) {
        return None;
    }
    word.strip_suffix('s').map(str::to_owned)
}

/// The Chinese characters of a text, each alone and with its follower, in place: every substring is a phrase of them.
pub fn characters(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    each_character(text, |position, c, follower| {
        let (c, start, end) = c;
        tokens.push(Token { text: c.to_string(), start, end, position });
        if let Some((follower, _, end)) = follower {
            tokens.push(Token { text: [c, follower].iter().collect(), start, end, position });
        }
    });
    tokens
}

/// The Chinese characters of a text by their sound: all readings in place, and their first letters as capitals (so that
/// the initial `A` and the syllable `a` are two tokens).
pub fn syllables(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    each_character(text, |position, (c, start, end), _| {
        let mut initials: Vec<String> = Vec::new();
        for reading in readings(c) {
            let initial: String = reading.chars().take(1).collect::<String>().to_ascii_uppercase();
            if !initials.contains(&initial) {
                initials.push(initial);
            }
            tokens.push(Token { text: reading, start, end, position });
        }
        for text in initials {
            tokens.push(Token { text, start, end, position });
        }
    });
    tokens
}

type Place = (char, usize, usize);

/// Visits the Chinese characters with their positions. White space does not part them, all else does: there a position
/// is left out.
fn each_character(text: &str, mut visit: impl FnMut(usize, Place, Option<Place>)) {
    let chinese: Vec<Run> = runs(text);
    let mut position = 0;
    for (index, run) in chinese.iter().enumerate() {
        if run.joint == Joint::Break || run.script == Script::Word {
            position += 1;
        }
        if run.script == Script::Word {
            continue;
        }
        let next = chinese
            .get(index + 1)
            .filter(|next| next.script == Script::Chinese && next.joint == Joint::Space)
            .and_then(|next| next.chars.first());
        for (offset, place) in run.chars.iter().enumerate() {
            visit(position, *place, run.chars.get(offset + 1).or(next).copied());
            position += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(tokens: &[Token]) -> Vec<&str> {
        tokens.iter().map(|token| token.text.as_str()).collect()
    }

    #[test]
    fn letters_and_digits_stay_together() {
        let tokens = words("AULA F87 20000mAh iPhone15 MX-400");
        let found = texts(&tokens);
        for expected in ["aula", "f87", "20000mah", "iphone15", "mx", "400", "mx400"] {
            assert!(found.contains(&expected), "{expected} in {found:?}");
        }
        assert!(!found.contains(&"87"));
    }

    #[test]
    fn chinese_words_hold_shorter_ones() {
        let tokens = words("狼蛛F87机械键盘 三模");
        let found = texts(&tokens);
        for expected in ["f87", "机械", "键盘"] {
            assert!(found.contains(&expected), "{expected} in {found:?}");
        }
    }

    #[test]
    fn numbers_keep_their_point() {
        assert!(texts(&words("43.2 cm")).contains(&"43.2"));
        assert!(texts(&words("Wi-Fi")).contains(&"wifi"));
    }

    #[test]
    fn plurals_are_found_in_the_singular() {
        for (plural, expected) in
            [("keyboards", "keyboard"), ("batteries", "battery"), ("switches", "switch")]
        {
            assert_eq!(singular(plural).as_deref(), Some(expected));
        }
        for word in ["wireless", "bus", "lcd", "f87s", "基"] {
            assert_eq!(singular(word), None, "{word}");
        }
    }

    #[test]
    fn characters_run_on_over_spaces_and_stop_at_words() {
        let tokens = characters("机械 键盘");
        assert!(texts(&tokens).contains(&"械键"));
        let tokens = characters("键盘 F87 鼠标");
        assert!(!texts(&tokens).contains(&"盘鼠"));
        let gap: Vec<usize> =
            tokens.iter().filter(|t| t.text.chars().count() == 1).map(|t| t.position).collect();
        assert!(gap[2] > gap[1] + 1);
    }

    #[test]
    fn syllables_hold_all_readings_in_place() {
        let tokens = syllables("重低音");
        let first: Vec<&str> = tokens
            .iter()
            .filter(|t| t.position == tokens[0].position)
            .map(|t| t.text.as_str())
            .collect();
        assert!(first.contains(&"zhong") && first.contains(&"chong") && first.contains(&"Z"));
    }

    #[test]
    fn offsets_point_into_the_original() {
        let text = "Ｆ８７ 机械键盘";
        for token in words(text).iter().chain(&characters(text)) {
            assert!(text.get(token.start..token.end).is_some());
        }
    }
}
