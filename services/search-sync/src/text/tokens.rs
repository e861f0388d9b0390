//! The second step of the analysis: runs become the tokens of the index fields.

use super::{
    chinese::{inner_words, segment_words},
    pinyin::readings,
    runs::{Run, Script, Separator, split_runs},
};

/// The longest token, in characters; longer words are not indexed.
const TOKEN_MAX: usize = 64;
/// How many connected words also become one token (`a-b-c-d`).
const CONNECTED_MAX: usize = 4;

/// One token of an index field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    /// The byte offset of its beginning in the original text.
    pub start: usize,
    /// The byte offset of its end in the original text.
    pub end: usize,
    /// Spellings of one word share a position; a gap between positions separates phrases.
    pub position: usize,
}

/// The word tokens of a text.
///
/// Chinese gives dictionary words and the shorter words inside them. Letters and digits stay together (`f87`
/// is one word). Plurals are also indexed in the singular, connected words also as one (`mx-400`: mx, 400,
/// mx400).
pub fn word_tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut position = 0;
    let runs = split_runs(text);
    for (index, run) in runs.iter().enumerate() {
        match run.script {
            Script::Chinese => push_chinese(run, &mut position, &mut tokens),
            Script::Word => {
                push_word(&run.text(), run.start(), run.end(), position, &mut tokens);
                push_connected(&runs[index..], position, &mut tokens);
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
    for (from, to) in segment_words(&run.text()) {
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

/// Adds one token for the first run and the runs connected to it. Does nothing unless the run is the head of
/// the chain.
fn push_connected(from: &[Run], position: usize, tokens: &mut Vec<Token>) {
    let Some((head, tail)) = from.split_first() else { return };
    if matches!(head.separator, Separator::Connector(_)) {
        return;
    }
    let mut text = head.text();
    let mut end = head.end();
    let mut count = 1;
    for run in tail.iter().take(CONNECTED_MAX - 1) {
        let Separator::Connector(mark) = run.separator else { break };
        push_mark(&mut text, mark, run);
        text.push_str(&run.text());
        end = run.end();
        count += 1;
    }
    if count > 1 && text.chars().count() <= TOKEN_MAX {
        tokens.push(Token { text, start: head.start(), end, position });
    }
}

/// Keeps a decimal point between digits (`4.7` is not 47) and drops every other mark.
fn push_mark(text: &mut String, mark: char, after: &Run) {
    let number = text.ends_with(|c: char| c.is_ascii_digit())
        && after.chars.first().is_some_and(|(c, _, _)| c.is_ascii_digit());
    if mark == '.' && number {
        text.push('.');
    }
}

/// The singular of a word that ends like an English plural: keyboards, batteries, switches.
pub(crate) fn singular(word: &str) -> Option<String> {
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

/// The Chinese characters of a text, each alone and with its successor, so that every substring is a phrase.
pub(crate) fn character_tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for_each_character(text, |position, (c, start, end), successor| {
        tokens.push(Token { text: c.to_string(), start, end, position });
        if let Some((successor, _, end)) = successor {
            tokens.push(Token { text: [c, successor].iter().collect(), start, end, position });
        }
    });
    tokens
}

/// The pinyin of the Chinese characters of a text: all readings of a character share its position.
///
/// The initials are added as capitals, so the initial `A` and the syllable `a` are two tokens.
pub(crate) fn pinyin_tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for_each_character(text, |position, (c, start, end), _| {
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

/// A character with its byte range in the original text.
type PositionedChar = (char, usize, usize);

/// Visits the Chinese characters with their positions and successors.
///
/// White space does not interrupt a phrase. Everything else does, by a gap of one position.
fn for_each_character(
    text: &str,
    mut visit: impl FnMut(usize, PositionedChar, Option<PositionedChar>),
) {
    let runs = split_runs(text);
    let mut position = 0;
    for (index, run) in runs.iter().enumerate() {
        if run.separator == Separator::Break || run.script == Script::Word {
            position += 1;
        }
        if run.script == Script::Word {
            continue;
        }
        let next = runs
            .get(index + 1)
            .filter(|next| next.script == Script::Chinese && next.separator == Separator::Space)
            .and_then(|next| next.chars.first());
        for (offset, positioned) in run.chars.iter().enumerate() {
            visit(position, *positioned, run.chars.get(offset + 1).or(next).copied());
            position += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Token, character_tokens, pinyin_tokens, singular, word_tokens};

    fn texts(tokens: &[Token]) -> Vec<&str> {
        tokens.iter().map(|token| token.text.as_str()).collect()
    }

    #[test]
    fn letters_and_digits_stay_together() {
        let tokens = word_tokens("AULA F87 20000mAh iPhone15 MX-400");
        let found = texts(&tokens);
        for expected in ["aula", "f87", "20000mah", "iphone15", "mx", "400", "mx400"] {
            assert!(found.contains(&expected), "{expected} in {found:?}");
        }
        assert!(!found.contains(&"87"));
    }

    #[test]
    fn chinese_words_contain_shorter_words() {
        let tokens = word_tokens("狼蛛F87机械键盘 三模");
        let found = texts(&tokens);
        for expected in ["f87", "机械", "键盘"] {
            assert!(found.contains(&expected), "{expected} in {found:?}");
        }
    }

    #[test]
    fn numbers_keep_the_decimal_point() {
        assert!(texts(&word_tokens("43.2 cm")).contains(&"43.2"));
        assert!(texts(&word_tokens("Wi-Fi")).contains(&"wifi"));
    }

    #[test]
    fn plurals_are_indexed_in_the_singular() {
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
    fn phrases_span_spaces_and_end_at_latin_words() {
        let tokens = character_tokens("机械 键盘");
        assert!(texts(&tokens).contains(&"械键"));
        let tokens = character_tokens("键盘 F87 鼠标");
        assert!(!texts(&tokens).contains(&"盘鼠"));
        let gap: Vec<usize> =
            tokens.iter().filter(|t| t.text.chars().count() == 1).map(|t| t.position).collect();
        assert!(gap[2] > gap[1] + 1);
    }

    #[test]
    fn all_readings_share_a_position() {
        let tokens = pinyin_tokens("重低音");
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
        for token in word_tokens(text).iter().chain(&character_tokens(text)) {
            assert!(text.get(token.start..token.end).is_some());
        }
    }
}
