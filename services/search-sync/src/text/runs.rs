//! The first cut: a text into runs of one script.

use super::{is_chinese, normalise_char};

/// What a run is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// Chinese characters.
    Chinese,
    /// Letters and digits of any other alphabet.
    Word,
}

/// What stands between a run and the run before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// Nothing: the script changes (`F87机械键盘`).
    Touching,
    /// One connecting mark between two words (`mx-400`, `wi-fi`, `4.7`).
    Connected(char),
    /// White space only.
    Space,
    /// Punctuation, or the beginning of the text.
    Break,
}

/// A longest stretch of one script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it is written in.
    pub script: Script,
    /// What stands before it.
    pub joint: Joint,
    /// The characters, normalised, each with its byte range in the original.
    pub chars: Vec<(char, usize, usize)>,
}

impl Run {
    /// The normalised text.
    pub fn text(&self) -> String {
        self.chars.iter().map(|(c, _, _)| c).collect()
    }

    /// Where the run begins in the original, in bytes.
    pub fn start(&self) -> usize {
        self.chars.first().map_or(0, |(_, start, _)| *start)
    }

    /// Where the run ends in the original, in bytes.
    pub fn end(&self) -> usize {
        self.chars.last().map_or(0, |(_, _, end)| *end)
    }
}

/// Cuts `text` into its runs; what is neither letter, digit nor Chinese only separates.
pub fn runs(text: &str) -> Vec<Run> {
    let mut found: Vec<Run> = Vec::new();
    let mut between = Between::default();
    for (start, original) in text.char_indices() {
        let c = normalise_char(original);
        let Some(script) = script_of(c) else {
            between.push(c);
            continue;
        };
        let place = (c, start, start + original.len_utf8());
        match found.last_mut() {
            Some(run) if run.script == script && between.is_empty() => run.chars.push(place),
            last => {
                let before = last.map(|run| run.script);
                let joint = between.take(before, script);
                found.push(Run { script, joint, chars: vec![place] });
            }
        }
    }
    found
}

fn script_of(c: char) -> Option<Script> {
    if is_chinese(c) {
        Some(Script::Chinese)
    } else if c.is_alphanumeric() {
        Some(Script::Word)
    } else {
        None
    }
}

/// The separating characters since the last run, as far as they matter.
#[derive(Default)]
struct Between {
    count: usize,
    first: Option<char>,
    only_space: bool,
}

impl Between {
    fn push(&mut self, c: char) {
        self.only_space = c.is_whitespace() && (self.only_space || self.count == 0);
        self.first.get_or_insert(c);
        self.count += 1;
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn take(&mut self, before: Option<Script>, after: Script) -> Joint {
        let seen = std::mem::take(self);
        let (Some(before), Some(mark)) = (before, seen.first) else {
            return if before.is_none() { Joint::Break } else { Joint::Touching };
        };
        let words = before == Script::Word && after == Script::Word;
        if words && seen.count == 1 && matches!(mark, '-' | '_' | '.' | '\'' | '’') {
            Joint::Connected(mark)
        } else if seen.only_space {
            Joint::Space
        } else {
            Joint::Break
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<(String, Joint)> {
        runs(text).iter().map(|run| (run.text(), run.joint)).collect()
    }

    #[test]
    fn scripts_part_where_they_touch() {
        assert_eq!(
            shape("AULA狼蛛F87 机械键盘"),
            [
                ("aula".to_owned(), Joint::Break),
                ("狼蛛".to_owned(), Joint::Touching),
                ("f87".to_owned(), Joint::Touching),
                ("机械键盘".to_owned(), Joint::Space),
            ]
        );
    }

    #[test]
    fn marks_connect_words_only_alone() {
        assert_eq!(
            shape("mx-400 a - b"),
            [
                ("mx".to_owned(), Joint::Break),
                ("400".to_owned(), Joint::Connected('-')),
                ("a".to_owned(), Joint::Space),
                ("b".to_owned(), Joint::Break),
            ]
        );
    }

    #[test]
    fn places_are_those_of_the_original() {
        let text = "（Ｆ８７）";
        let found = runs(text);
        assert_eq!(found.len(), 1);
        assert_eq!(&text[found[0].start()..found[0].end()], "Ｆ８７");
    }

    #[test]
    fn emoji_and_marks_only_separate() {
        assert!(runs("\"(*🎧!?").is_empty());
    }
}
