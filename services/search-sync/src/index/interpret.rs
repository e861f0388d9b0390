//! What a query may mean: its words, and for each the ways in which a title may say it, from the literal one to what a
//! slip of the finger, a homophone or pinyin would explain. Pure but for the vocabulary, which is asked for words alike.

use std::ops::Range;

use super::schema::collapsed;
use crate::text::{
    Joint, Run, Script, Syllable, cut, initials, normalise, parse_syllables, readings, runs,
    singular,
};

/// How much of a query is read, in characters.
const QUERY_MAX: usize = 256;
/// How many words of a query count.
pub(super) const WORDS_MAX: usize = 12;
/// How many neighbouring words together are tried as one pinyin or one homophone.
const WINDOW: usize = 6;
/// The longest Chinese run in which one wrong character is looked for.
const SLIP_MAX: usize = 10;
/// How many ways to split a word of letters and digits are tried.
const SPLITS_MAX: usize = 7;

/// How many syllables several words together may have.
const TOGETHER_MAX: usize = 8;
/// What pinyin is worth that was typed as so many words: the more of them a title has in one piece, the surer.
const TOGETHER: [f32; WINDOW] = [0.8, 0.82, 0.84, 0.86, 0.88, 0.9];
/// How many ways to divide pinyin typed in one piece into words are tried.
const PARTS_MAX: usize = 8;

/// Words that carry no meaning of their own and need not be matched.
const FILLERS: [&str; 19] = [
    "a", "an", "and", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with", "的", "和",
    "与", "及", "或", "之",
];

/// A query as it is understood.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Reading {
    pub(super) words: Vec<Word>,
    /// What the whole query says as it stands; a title that has it in one piece is a better match.
    pub(super) phrases: Vec<Pattern>,
    /// The query as an article number.
    pub(super) sku: String,
}

/// One word of a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Word {
    /// As it was typed, normalised.
    pub(super) typed: String,
    /// Whether a space stood before it.
    pub(super) spaced: bool,
    /// Whether it is one of the small words that need not match.
    pub(super) filler: bool,
    /// The ways in which a title says just this.
    pub(super) literal: Vec<Alternative>,
    /// The ways in which a title says what was probably meant.
    pub(super) tolerant: Vec<Alternative>,
}

/// One way to match.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alternative {
    pub(super) pattern: Pattern,
    /// What a match is worth beside a literal one, 0 to 1.
    pub(super) weight: f32,
    /// The words of the query that it stands for.
    pub(super) covers: Range<usize>,
    pub(super) kind: Kind,
}

/// Why an alternative is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is what was typed.
    Literal,
    /// What was typed is its beginning.
    Begun,
    /// What was typed is misspelt.
    Slip,
    /// What was typed is its sound.
    Sound,
}

/// What to look for in a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pattern {
    /// A word.
    Word(String),
    /// Words one after another.
    Phrase(Vec<String>),
    /// Chinese characters at these places of a stretch of so many.
    Characters {
        /// The places and what stands there; at all others anything may.
        places: Vec<(usize, char)>,
        /// How long the stretch is.
        length: usize,
    },
    /// Chinese characters, one after another, that sound so.
    Sound(Vec<Syllable>),
    /// Several such stretches, anywhere.
    Sounds(Vec<Vec<Syllable>>),
}

/// A word before its alternatives are known.
#[derive(Debug, Clone, PartialEq)]
struct Piece {
    script: Script,
    chars: Vec<char>,
    /// The parts of a connected word (`mx-400`), or the word alone.
    parts: Vec<String>,
    spaced: bool,
    /// Counts the stretches that only spaces (or nothing) divide.
    stretch: usize,
}

impl Piece {
    fn text(&self) -> String {
        self.chars.iter().collect()
    }

    fn is_letters(&self) -> bool {
        self.script == Script::Word && self.chars.iter().all(char::is_ascii_lowercase)
    }
}

/// Reads a query as far as that needs no index: the words with their literal alternatives.
pub(super) fn read(q: &str) -> Reading {
    let q: String = normalise(q.trim()).chars().take(QUERY_MAX).collect();
    let pieces = pieces(&q);
    let words = pieces
        .iter()
        .enumerate()
        .map(|(index, piece)| Word {
            typed: piece.text(),
            spaced: piece.spaced,
            filler: pieces.len() > 1 && FILLERS.contains(&piece.text().as_str()),
            literal: literal(&pieces, index),
            tolerant: Vec::new(),
        })
        .collect();
    Reading { words, phrases: phrases(&pieces), sku: collapsed(&q) }
}

/// Reads a query with what else may have been meant. The last word may still be in the middle of being typed.
///
/// `similar` gives the known words within so many edits of a word, `completions` those that begin with it; both the most
/// frequent first and without the word itself.
pub(super) fn read_tolerantly<E>(
    q: &str,
    similar: impl Fn(&str, u8) -> Result<Vec<String>, E>,
    completions: impl Fn(&str) -> Result<Vec<String>, E>,
) -> Result<Reading, E> {
    let mut reading = read(q);
    let q: String = normalise(q.trim()).chars().take(QUERY_MAX).collect();
    let pieces = pieces(&q);
    for (index, piece) in pieces.iter().enumerate() {
        let last = index + 1 == pieces.len();
        let tolerant = &mut reading.words[index].tolerant;
        match piece.script {
            Script::Word => {
                push_slips(piece, index, &similar, tolerant)?;
                tolerant.extend(joined(&pieces, index, false).into_iter().map(
                    |(pattern, covers)| Alternative {
                        pattern,
                        weight: 0.8,
                        covers,
                        kind: Kind::Slip,
                    },
                ));
                if last {
                    push_completions(piece, index, &completions, tolerant)?;
                }
                push_pinyin(&pieces, index, tolerant);
            }
            Script::Chinese => push_homophones(&pieces, index, tolerant),
        }
    }
    push_wrong_characters(&pieces, &mut reading.words);
    for word in &mut reading.words {
        word.tolerant.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    }
    Ok(reading)
}

fn pieces(q: &str) -> Vec<Piece> {
    let all = runs(q);
    let mut pieces: Vec<Piece> = Vec::new();
    let mut stretch = 0;
    for run in &all {
        if run.joint == Joint::Break {
            stretch += 1;
        }
        let spaced = matches!(run.joint, Joint::Space | Joint::Break);
        match (run.script, run.joint) {
            (Script::Word, Joint::Connected(mark)) => connect(pieces.last_mut(), mark, run),
            (Script::Word, _) => pieces.push(Piece {
                script: Script::Word,
                chars: run.text().chars().collect(),
                parts: vec![run.text()],
                spaced,
                stretch,
            }),
            (Script::Chinese, _) => {
                for (from, to) in cut(&run.text()) {
                    pieces.push(Piece {
                        script: Script::Chinese,
                        chars: run.chars[from..to].iter().map(|(c, _, _)| *c).collect(),
                        parts: Vec::new(),
                        spaced: spaced && from == 0,
                        stretch,
                    });
                }
            }
        }
    }
    pieces.truncate(WORDS_MAX);
    pieces
}

fn connect(before: Option<&mut Piece>, mark: char, run: &Run) {
    let Some(piece) = before else { return };
    let number = |c: Option<&char>| c.is_some_and(char::is_ascii_digit);
    if mark == '.' && number(piece.chars.last()) && number(run.chars.first().map(|(c, _, _)| c)) {
        piece.chars.push('.');
    }
    piece.chars.extend(run.chars.iter().map(|(c, _, _)| c));
    piece.parts.push(run.text());
}

fn literal(pieces: &[Piece], index: usize) -> Vec<Alternative> {
    let piece = &pieces[index];
    let text = piece.text();
    let mut found = Vec::new();
    let mut push = |pattern: Pattern, weight: f32, covers: Range<usize>| {
        found.push(Alternative { pattern, weight, covers, kind: Kind::Literal });
    };
    match piece.script {
        Script::Chinese => {
            push(Pattern::Word(text), 1.0, index..index + 1);
            push(consecutive(&piece.chars), 0.7, index..index + 1);
        }
        Script::Word => {
            if let Some(singular) = singular(&text) {
                push(Pattern::Word(singular), 0.95, index..index + 1);
            }
            for parts in splits(piece) {
                push(Pattern::Phrase(parts), 0.9, index..index + 1);
            }
            for (pattern, covers) in joined(pieces, index, true) {
                push(pattern, 0.9, covers);
            }
            push(Pattern::Word(text), 1.0, index..index + 1);
        }
    }
    found
}

/// A word with the one before or after it as one: `iphone 15` as iphone15 where one has a digit in it, `head set` as
/// headset where none has.
fn joined(pieces: &[Piece], index: usize, digits: bool) -> Vec<(Pattern, Range<usize>)> {
    let pairs = [index.checked_sub(1).map(|before| (before, index)), Some((index, index + 1))];
    let fits = |first: &Piece, second: &Piece| {
        let chars = || first.chars.iter().chain(&second.chars);
        first.stretch == second.stretch
            && first.script == Script::Word
            && second.script == Script::Word
            && chars().any(char::is_ascii_digit) == digits
    };
    pairs
        .into_iter()
        .flatten()
        .filter_map(|(first, second)| Some((first, pieces.get(first)?, pieces.get(second)?)))
        .filter(|(_, first, second)| fits(first, second))
        .map(|(at, first, second)| (Pattern::Word(first.text() + &second.text()), at..at + 2))
        .collect()
}

/// The ways in which a title may have a word in parts: `mx-400` as mx 400, `iphone15` as iphone 15.
fn splits(piece: &Piece) -> Vec<Vec<String>> {
    if piece.parts.len() > 1 {
        return vec![piece.parts.clone()];
    }
    let changes: Vec<usize> = piece
        .chars
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0].is_numeric() != pair[1].is_numeric())
        .map(|(before, _)| before + 1)
        .collect();
    if changes.is_empty() || changes.len() > 3 {
        return Vec::new();
    }
    // Every choice of the places is one way; the bits of a number run through the choices.
    (1..1_usize << changes.len())
        .map(|choice| {
            let places = changes.iter().enumerate().filter(|(bit, _)| choice >> bit & 1 == 1);
            let mut ends: Vec<usize> = places.map(|(_, place)| *place).collect();
            ends.push(piece.chars.len());
            let mut from = 0;
            ends.into_iter()
                .map(|to| piece.chars[std::mem::replace(&mut from, to)..to].iter().collect())
                .collect()
        })
        .take(SPLITS_MAX)
        .collect()
}

/// What stands together in the query: pairs of words, and stretches of Chinese.
fn phrases(pieces: &[Piece]) -> Vec<Pattern> {
    let mut found = Vec::new();
    for pair in pieces.windows(2) {
        if pair.iter().all(|piece| piece.script == Script::Word) {
            found
                .push(Pattern::Phrase(pair.iter().flat_map(|piece| piece.parts.clone()).collect()));
        }
    }
    for (range, chars) in chinese_stretches(pieces) {
        if range.len() > 1 {
            found.push(consecutive(&chars));
        }
    }
    found
}

/// The longest ranges of Chinese words that nothing but spaces divides, with their characters.
fn chinese_stretches(pieces: &[Piece]) -> Vec<(Range<usize>, Vec<char>)> {
    let mut found: Vec<(Range<usize>, Vec<char>)> = Vec::new();
    for (index, piece) in pieces.iter().enumerate().filter(|(_, p)| p.script == Script::Chinese) {
        match found.last_mut() {
            Some((range, chars))
                if range.end == index && pieces[range.start].stretch == piece.stretch =>
            {
                range.end += 1;
                chars.extend(&piece.chars);
            }
            _ => found.push((index..index + 1, piece.chars.clone())),
        }
    }
    found
}

fn consecutive(chars: &[char]) -> Pattern {
    Pattern::Characters { places: chars.iter().copied().enumerate().collect(), length: chars.len() }
}

/// Misspelt Latin words: one edit from five letters on, two from nine. What has a digit in it is never guessed at.
fn push_slips<E>(
    piece: &Piece,
    index: usize,
    similar: impl Fn(&str, u8) -> Result<Vec<String>, E>,
    found: &mut Vec<Alternative>,
) -> Result<(), E> {
    if !piece.chars.iter().all(|c| c.is_alphabetic()) {
        return Ok(());
    }
    let distances: &[u8] = match piece.chars.len() {
        5..=8 => &[1],
        9..=32 => &[1, 2],
        _ => &[],
    };
    for distance in distances {
        let words = similar(&piece.text(), *distance)?;
        if words.is_empty() {
            continue;
        }
        for word in words {
            found.push(Alternative {
                pattern: Pattern::Word(word),
                weight: if *distance == 1 { 0.6 } else { 0.4 },
                covers: index..index + 1,
                kind: Kind::Slip,
            });
        }
        break;
    }
    Ok(())
}

fn push_completions<E>(
    piece: &Piece,
    index: usize,
    completions: impl Fn(&str) -> Result<Vec<String>, E>,
    found: &mut Vec<Alternative>,
) -> Result<(), E> {
    for word in completions(&piece.text())? {
        found.push(Alternative {
            pattern: Pattern::Word(word),
            weight: 0.5,
            covers: index..index + 1,
            kind: Kind::Begun,
        });
    }
    Ok(())
}

/// Latin words as pinyin: each range of neighbours that holds this word, read together (`ji xie jian pan`). A lone
/// syllable among others means nothing by itself, unless it is the beginning of the word that is being typed.
fn push_pinyin(pieces: &[Piece], index: usize, found: &mut Vec<Alternative>) {
    if !pieces[index].is_letters() {
        return;
    }
    let stretch = pieces[index].stretch;
    let belongs = |piece: &Piece| piece.is_letters() && piece.stretch == stretch;
    let has_neighbour = index.checked_sub(1).is_some_and(|before| belongs(&pieces[before]))
        || pieces.get(index + 1).is_some_and(belongs);
    for range in windows(pieces, index, belongs) {
        let typing = range.end == pieces.len();
        for syllables in parse_together(&pieces[range.clone()], typing) {
            let lone = syllables.len() == 1 && has_neighbour;
            if lone && !typing {
                continue;
            }
            let begun = matches!(syllables.last(), Some(Syllable::Begun(_)));
            let weight = match (lone, begun) {
                (true, _) => 0.3,
                (false, true) => 0.6,
                (false, false) => TOGETHER[range.len() - 1],
            };
            let kind = if begun { Kind::Begun } else { Kind::Sound };
            let mut push = |pattern: Pattern, weight: f32| {
                found.push(Alternative { pattern, weight, covers: range.clone(), kind });
            };
            if range.len() == 1 {
                for parts in in_parts(&syllables) {
                    push(Pattern::Sounds(parts), 0.75 * weight);
                }
            }
            push(Pattern::Sound(syllables), weight);
        }
    }
    if let Some(initials) = initials(&pieces[index].text()) {
        found.push(Alternative {
            pattern: Pattern::Sound(initials),
            weight: 0.4,
            covers: index..index + 1,
            kind: Kind::Sound,
        });
    }
}

/// The ways to read words one after another as pinyin. A space typed between them divides syllables, and only the last
/// word is read in more ways than one.
fn parse_together(pieces: &[Piece], typing: bool) -> Vec<Vec<Syllable>> {
    let Some((last, before)) = pieces.split_last() else { return Vec::new() };
    let mut head: Vec<Syllable> = Vec::new();
    for piece in before {
        let Some(first) = parse_syllables(&piece.text(), false).into_iter().next() else {
            return Vec::new();
        };
        head.extend(first);
    }
    let ways = if before.is_empty() || typing { usize::MAX } else { 1 };
    parse_syllables(&last.text(), typing)
        .into_iter()
        .take(ways)
        .map(|tail| head.iter().cloned().chain(tail).collect())
        .filter(|all: &Vec<Syllable>| before.is_empty() || all.len() <= TOGETHER_MAX)
        .collect()
}

/// The ways in which syllables typed in one piece may be several words, of two syllables at least: wuxian shubiao.
fn in_parts(syllables: &[Syllable]) -> Vec<Vec<Vec<Syllable>>> {
    let mut found = Vec::new();
    for first in 2..syllables.len().saturating_sub(1) {
        let (head, tail) = syllables.split_at(first);
        found.push(vec![head.to_vec(), tail.to_vec()]);
        for mut rest in in_parts(tail) {
            rest.insert(0, head.to_vec());
            found.push(rest);
        }
        if found.len() >= PARTS_MAX {
            break;
        }
    }
    found.truncate(PARTS_MAX);
    found
}

/// Chinese words by their sound: what a wrong choice of the input method, or traditional writing, looks like.
fn push_homophones(pieces: &[Piece], index: usize, found: &mut Vec<Alternative>) {
    let stretch = pieces[index].stretch;
    let belongs = |piece: &Piece| piece.script == Script::Chinese && piece.stretch == stretch;
    for range in windows(pieces, index, belongs) {
        let chars = pieces[range.clone()].iter().flat_map(|piece| &piece.chars);
        let sound: Option<Vec<Syllable>> =
            chars.map(|c| readings(*c).into_iter().next().map(Syllable::Whole)).collect();
        let Some(sound) = sound.filter(|sound| (2..=8).contains(&sound.len())) else { continue };
        found.push(Alternative {
            pattern: Pattern::Sound(sound),
            weight: 0.6,
            covers: range,
            kind: Kind::Sound,
        });
    }
}

/// The ranges of at most [`WINDOW`] fitting neighbours that hold `index`.
fn windows(pieces: &[Piece], index: usize, belongs: impl Fn(&Piece) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for from in (0..=index).rev().take_while(|from| belongs(&pieces[*from])) {
        for to in index + 1..=pieces.len() {
            if to - from > WINDOW || !belongs(&pieces[to - 1]) {
                break;
            }
            found.push(from..to);
        }
    }
    found
}

/// Chinese of four characters and more with one of them wrong, left out, or too many.
fn push_wrong_characters(pieces: &[Piece], words: &mut [Word]) {
    let mut ranges = chinese_stretches(pieces);
    for (index, piece) in pieces.iter().enumerate() {
        if piece.script == Script::Chinese
            && !ranges.iter().any(|(range, _)| *range == (index..index + 1))
        {
            ranges.push((index..index + 1, piece.chars.clone()));
        }
    }
    for (range, chars) in ranges {
        if !(4..=SLIP_MAX).contains(&chars.len()) {
            continue;
        }
        for pattern in wrong_characters(&chars) {
            for word in &mut words[range.clone()] {
                word.tolerant.push(Alternative {
                    pattern: pattern.clone(),
                    weight: 0.65,
                    covers: range.clone(),
                    kind: Kind::Slip,
                });
            }
        }
    }
}

fn wrong_characters(chars: &[char]) -> Vec<Pattern> {
    let all = chars.len();
    let placed = |length: usize, place: &dyn Fn(usize) -> Option<usize>| Pattern::Characters {
        places: chars.iter().enumerate().filter_map(|(at, c)| Some((place(at)?, *c))).collect(),
        length,
    };
    let mut found = Vec::new();
    for slip in 0..all {
        // Another character stands in its place.
        found.push(placed(all, &|at| (at != slip).then_some(at)));
        if slip > 0 && slip + 1 < all {
            // It is one too many.
            found.push(placed(all - 1, &|at| (at != slip).then(|| at - usize::from(at > slip))));
        }
        if slip > 0 {
            // One is missing before it.
            found.push(placed(all + 1, &|at| Some(at + usize::from(at >= slip))));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn tolerant(q: &str) -> Vec<Word> {
        let known = ["logitech", "mouse"];
        let all = |fits: &dyn Fn(&str) -> bool| -> Result<Vec<String>, Infallible> {
            Ok(known.into_iter().filter(|word| fits(word)).map(str::to_owned).collect())
        };
        let similar = |word: &str, _: u8| all(&|known| known.len() == word.len());
        let completions = |word: &str| all(&|known| known.starts_with(word));
        let Ok(reading) = read_tolerantly(q, similar, completions);
        reading.words
    }

    fn typed(q: &str) -> Vec<String> {
        read(q).words.into_iter().map(|word| word.typed).collect()
    }

    fn has_sound(word: &Word, syllables: &[&str]) -> bool {
        let sound =
            Pattern::Sound(syllables.iter().map(|s| Syllable::Whole((*s).to_owned())).collect());
        word.tolerant.iter().any(|alternative| alternative.pattern == sound)
    }

    #[test]
    fn a_mixed_query_is_cut_into_words() {
        assert_eq!(typed("AULA f87机械键盘"), ["aula", "f87", "机械", "键盘"]);
        assert_eq!(typed("mx-400"), ["mx400"]);
        assert!(typed("\"(*🎧").is_empty());
        assert_eq!(typed(&"word ".repeat(2_000)).len(), WORDS_MAX);
    }

    #[test]
    fn letters_and_digits_may_be_apart_in_the_title() {
        let words = read("iphone15").words;
        let split = Pattern::Phrase(vec!["iphone".to_owned(), "15".to_owned()]);
        assert!(words[0].literal.iter().any(|alternative| alternative.pattern == split));
        let words = read("iphone 15").words;
        let joined = Pattern::Word("iphone15".to_owned());
        assert!(words.iter().all(|word| word.literal.iter().any(|a| a.pattern == joined)));
    }

    #[test]
    fn digits_are_never_guessed_at() {
        assert!(
            tolerant("f87proxyz")
                .iter()
                .all(|word| word.tolerant.iter().all(|a| a.kind != Kind::Slip))
        );
        assert!(tolerant("logitecj")[0].tolerant.iter().any(|a| a.kind == Kind::Slip));
        assert!(tolerant("mous")[0].tolerant.iter().all(|a| a.kind != Kind::Slip));
    }

    #[test]
    fn pinyin_is_read_over_spaces_and_beside_brands() {
        let all = ["ji", "xie", "jian", "pan"];
        for q in ["jixiejianpan", "jixie jianpan", "ji xie jian pan"] {
            assert!(tolerant(q).iter().all(|word| has_sound(word, &all)), "{q}");
        }
        let words = tolerant("aula jixiejianpan");
        assert!(has_sound(&words[1], &all));
        let far = |a: &Alternative| a.kind == Kind::Sound && a.covers.len() > 1;
        assert!(!words[0].tolerant.iter().any(far));
    }

    #[test]
    fn a_wrong_character_is_forgiven_from_four_on() {
        assert_eq!(wrong_characters(&['机', '戒', '键', '盘']).len(), 4 + 2 + 3);
        assert!(
            tolerant("机戒键盘")
                .iter()
                .all(|word| word.tolerant.iter().any(|a| a.kind == Kind::Slip))
        );
        assert!(
            tolerant("键盆").iter().all(|word| word.tolerant.iter().all(|a| a.kind != Kind::Slip))
        );
    }

    #[test]
    fn small_words_need_not_match() {
        let reading = read("case for iphone");
        assert_eq!(
            reading.words.iter().map(|word| word.filler).collect::<Vec<_>>(),
            [false, true, false]
        );
        assert!(!read("for").words[0].filler);
    }
}
