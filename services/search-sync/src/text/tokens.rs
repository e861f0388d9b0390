//! The second step of the analysis: runs become the tokens of the index fields.

use std::{iter, ops::Range};

use super::{
    chinese::{inner_words, is_function_word, segment_words, unknown_words},
    measures::{is_number, is_unit, measures, split_measure},
    pinyin::readings,
    runs::{Run, Script, Separator, split_runs},
};

/// The longest token, in characters; longer words are not indexed.
const TOKEN_MAX: usize = 64;
/// How many connected words also become one token (`a-b-c-d`).
const CONNECTED_MAX: usize = 4;
/// How many pieces of letters or digits one word is divided into at most; longer ones stay whole.
const PIECES_MAX: usize = 8;
/// A word without so many letters in a row is a code, and no words run together: `6qn30aa`.
const PIECE_LETTERS: usize = 3;
/// How many adjacent unknown characters also become one token.
const UNKNOWN_MAX: usize = 4;

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
/// Chinese gives dictionary words, the shorter words inside them, and adjacent unknown characters (红米). Plurals
/// are also indexed in the singular, and connected words also as one (`mx-400`: mx, 400, mx400).
pub fn word_tokens(text: &str) -> Vec<Token> {
    tokens(text, false)
}

/// The word tokens of the value of an attribute, with its measures.
pub(crate) fn value_tokens(text: &str) -> Vec<Token> {
    tokens(text, true)
}

fn tokens(text: &str, with_measures: bool) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut position = 0;
    let runs = split_runs(text);
    for (index, run) in runs.iter().enumerate() {
        match run.script {
            Script::Chinese => push_chinese(run, &mut position, &mut tokens),
            Script::Word => {
                push_word(&run.text(), run.start(), run.end(), position, &mut tokens);
                if with_measures {
                    push_measure(&runs[index..], position, &mut tokens);
                }
                push_connected(&runs[index..], position, &mut tokens);
                position += 1;
            }
        }
    }
    tokens
}

/// The other spellings of a text with digits; none for a text without.
///
/// Words of letters and digits are divided (`rtx4060ti`: rtx, 4060, ti), but a single letter stays with its
/// number (`f87`). Measures get the symbol of their unit (`65瓦`: 65w). The undivided words are there as well, so
/// that a phrase may go from one to the other. These tokens have a field of their own, because they would make
/// a title longer than it is, and the length counts against a match.
pub(crate) fn spelling_tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let runs = split_runs(text);
    let has_digit = |run: &Run| run.chars.iter().any(|(c, _, _)| c.is_ascii_digit());
    if !runs.iter().any(has_digit) {
        return tokens;
    }
    let mut position = 0;
    for (index, run) in runs.iter().enumerate() {
        if run.script == Script::Chinese {
            position += 1;
            continue;
        }
        push_word(&run.text(), run.start(), run.end(), position, &mut tokens);
        push_measure(&runs[index..], position, &mut tokens);
        position += push_pieces(run, position, &mut tokens);
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
    let words = segment_words(&run.text());
    let unknown = unknown_words(&chars, &words);
    for (from, to) in words {
        push(from, to, *position);
        for (inner_from, inner_to) in inner_words(&chars[from..to]) {
            push(from + inner_from, from + inner_to, *position);
        }
        let within = unknown.iter().find(|(first, end)| *first <= from && from < *end);
        for length in 2..=within.map_or(0, |(_, end)| end - from).min(UNKNOWN_MAX) {
            push(from, from + length, *position);
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

/// Adds the pieces of a word at consecutive positions; returns how many positions it takes.
fn push_pieces(run: &Run, position: usize, tokens: &mut Vec<Token>) -> usize {
    let chars: Vec<char> = run.chars.iter().map(|(c, _, _)| *c).collect();
    let pieces = piece_ranges(&chars);
    if pieces.len() > 1 {
        for (place, piece) in pieces.iter().enumerate() {
            let text: String = chars[piece.clone()].iter().collect();
            let (start, end) = (run.chars[piece.start].1, run.chars[piece.end - 1].2);
            push_word(&text, start, end, position + place, tokens);
        }
    }
    pieces.len()
}

/// The pieces of a word of letters and digits.
pub(crate) fn pieces(word: &[char]) -> Vec<String> {
    piece_ranges(word).into_iter().map(|piece| word[piece].iter().collect()).collect()
}

/// The ranges of letters and of digits. A single letter stays with its number: `f87`, `s24|ultra`, `2m`.
fn piece_ranges(word: &[char]) -> Vec<Range<usize>> {
    let same_kind = |a: &char, b: &char| a.is_numeric() == b.is_numeric();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut from = 0;
    let mut before_is_letter = false;
    for part in word.chunk_by(same_kind) {
        let to = from + part.len();
        let is_letter = part.len() == 1 && !part[0].is_numeric();
        match found.last_mut() {
            Some(last) if is_letter || before_is_letter => last.end = to,
            _ => found.push(from..to),
        }
        before_is_letter = is_letter;
        from = to;
    }
    // A number and its unit are one word: `512gb`.
    let text = |piece: &Range<usize>| word[piece.clone()].iter().collect::<String>();
    let mut at = 1;
    while at < found.len() {
        if is_number(&text(&found[at - 1])) && is_unit(&text(&found[at])) {
            found[at - 1].end = found[at].end;
            found.remove(at);
        } else {
            at += 1;
        }
    }
    let is_word = |piece: &Range<usize>| {
        piece.len() >= PIECE_LETTERS && word[piece.clone()].iter().all(|c| c.is_alphabetic())
    };
    let is_code = !found.iter().any(is_word);
    let whole = found.len() > PIECES_MAX || is_code;
    if whole { iter::once(0..word.len()).collect() } else { found }
}

/// Adds the first run as a measure if it is a number with a unit: `65w`, `65 W`, `1.5l`, `65瓦`.
fn push_measure(from: &[Run], position: usize, tokens: &mut Vec<Token>) {
    let Some((head, tail)) = from.split_first() else { return };
    if head.separator == Separator::Connector('.') {
        return;
    }
    let mut text = head.text();
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return;
    }
    let mut end = head.end();
    let fraction = tail.iter().take_while(|run| run.separator == Separator::Connector('.'));
    let mut rest = tail;
    for run in fraction {
        text = format!("{text}.{}", run.text());
        end = run.end();
        rest = &rest[1..];
    }
    let found = if let Some((number, unit)) = split_measure(&text) {
        measures(number, unit)
    } else if is_number(&text)
        && let Some((unit, unit_end)) = rest.first().and_then(unit_after_number)
    {
        end = unit_end;
        measures(&text, &unit)
    } else {
        Vec::new()
    };
    for measure in found.into_iter().filter(|measure| *measure != text) {
        tokens.push(Token { text: measure, start: head.start(), end, position });
    }
}

/// The word behind a number that may be its unit, and its end. A single letter only belongs to the number
/// without a space.
fn unit_after_number(run: &Run) -> Option<(String, usize)> {
    if matches!(run.separator, Separator::Break | Separator::Connector(_)) {
        return None;
    }
    let length = match run.script {
        Script::Chinese => segment_words(&run.text()).first()?.1,
        Script::Word if run.chars.len() > 1 => run.chars.len(),
        Script::Word => return None,
    };
    let unit = run.chars[..length].iter().map(|(c, _, _)| c).collect();
    Some((unit, run.chars[length - 1].2))
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
///
/// The first and the last character of a word also give [`edge_token`] and [`end_token`], so that the parts of a
/// word that the title does not have can be found apart: 女鞋 in 跑步鞋 女款.
pub(crate) fn character_tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for_each_chinese_run(text, |position, run, next| {
        for (offset, (c, start, end)) in run.chars.iter().enumerate() {
            let (start, position) = (*start, position + offset);
            tokens.push(Token { text: c.to_string(), start, end: *end, position });
            let successor = run.chars.get(offset + 1).or(next);
            if let Some((successor, _, end)) = successor {
                let text = [*c, *successor].iter().collect();
                tokens.push(Token { text, start, end: *end, position });
            }
        }
        push_edges(run, position, &mut tokens);
    });
    tokens
}

/// The token of a character that begins or ends a word.
pub(crate) fn edge_token(c: char) -> String {
    format!("^{c}")
}

/// The token of a character that ends a word.
pub(crate) fn end_token(c: char) -> String {
    format!("{c}$")
}

fn push_edges(run: &Run, position: usize, tokens: &mut Vec<Token>) {
    let chars: Vec<char> = run.chars.iter().map(|(c, _, _)| *c).collect();
    let (mut edges, mut ends) = (vec![false; chars.len()], vec![false; chars.len()]);
    for (from, to) in segment_words(&run.text()) {
        let inner = inner_words(&chars[from..to]);
        let inner = inner.into_iter().map(|(first, end)| (from + first, from + end));
        for (first, end) in inner.chain([(from, to)]) {
            edges[first] = true;
            edges[end - 1] = true;
            ends[end - 1] = true;
        }
    }
    for (offset, (c, start, end)) in run.chars.iter().enumerate() {
        let mut push = |text: String| {
            tokens.push(Token { text, start: *start, end: *end, position: position + offset });
        };
        if is_function_word(*c) {
            continue;
        }
        if edges[offset] {
            push(edge_token(*c));
        }
        if ends[offset] {
            push(end_token(*c));
        }
    }
}

/// The pinyin of the Chinese characters of a text: all readings of a character share its position.
///
/// The initials are added as capitals, so the initial `A` and the syllable `a` are two tokens.
pub(crate) fn pinyin_tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for_each_chinese_run(text, |position, run, _| {
        for (offset, (c, start, end)) in run.chars.iter().enumerate() {
            let (start, end, position) = (*start, *end, position + offset);
            let mut initials: Vec<String> = Vec::new();
            for reading in readings(*c) {
                let initial = reading.chars().take(1).collect::<String>().to_ascii_uppercase();
                if !initials.contains(&initial) {
                    initials.push(initial);
                }
                tokens.push(Token { text: reading, start, end, position });
            }
            for text in initials {
                tokens.push(Token { text, start, end, position });
            }
        }
    });
    tokens
}

/// A character with its byte range in the original text.
type PositionedChar = (char, usize, usize);

/// Visits the runs of Chinese characters with the position of their first character, and with the character
/// that follows the run.
///
/// White space does not interrupt a phrase. Everything else does, by a gap of one position.
fn for_each_chinese_run(text: &str, mut visit: impl FnMut(usize, &Run, Option<&PositionedChar>)) {
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
        visit(position, run, next);
        position += run.chars.len();
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Token, character_tokens, pinyin_tokens, singular, spelling_tokens, value_tokens,
        word_tokens,
    };

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
    fn letters_and_digits_are_also_divided() {
        for (text, pieces) in [
            ("ZetaFon7ProMax512GB", vec!["zetafon", "7", "promax", "512gb"]),
            ("RTX4060Ti", vec!["rtx", "4060", "ti"]),
            ("S24Ultra", vec!["s24", "ultra"]),
        ] {
            let tokens = spelling_tokens(text);
            let found = texts(&tokens);
            assert!(found.contains(&text.to_lowercase().as_str()), "{found:?}");
            for piece in &pieces {
                assert!(found.contains(piece), "{piece} in {found:?}");
            }
            let last = tokens.iter().map(|token| token.position).max();
            assert_eq!(last, Some(pieces.len() - 1));
        }
        let tokens = spelling_tokens("HP 6QN30AA");
        assert_eq!(texts(&tokens), ["hp", "6qn30aa"]);
        assert!(spelling_tokens("无线 mouse").is_empty());
    }

    #[test]
    fn measures_have_one_spelling() {
        for (text, measure) in [
            ("充电器 65瓦", "65w"),
            ("65 watt charger", "65w"),
            ("保温杯500毫升", "500ml"),
            ("可乐 1.5升", "1.5l"),
            ("数据线 2米", "2m"),
            ("8GB+256G 曜石黑", "256gb"),
            ("55英寸电视", "55inch"),
        ] {
            for tokens in [spelling_tokens(text), value_tokens(text)] {
                assert!(texts(&tokens).contains(&measure), "{text}: {:?}", texts(&tokens));
            }
        }
        assert!(!texts(&value_tokens("3米色")).contains(&"3m"));
    }

    #[test]
    fn unknown_characters_are_also_one_word() {
        for (text, word) in [("红米手机", "红米"), ("轴体红轴", "红轴")] {
            let tokens = word_tokens(text);
            assert!(texts(&tokens).contains(&word), "{text}: {:?}", texts(&tokens));
        }
    }

    #[test]
    fn words_have_edges() {
        let tokens = character_tokens("跑步鞋 女款");
        let found = texts(&tokens);
        assert!(found.contains(&"^女") && found.contains(&"鞋$"), "{found:?}");
        let tokens = character_tokens("红心图案 米色");
        assert!(!texts(&tokens).contains(&"米$"));
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
