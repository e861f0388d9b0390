//! The first step of the analysis: a text is split into runs of one script.

use super::{fold_char, is_chinese};

/// The script of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    Chinese,
    /// Letters and digits of any other alphabet.
    Word,
}

/// What separates a run from the run before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Separator {
    /// Nothing, only the script changes: `F87机械键盘`.
    None,
    /// One connecting mark between two words: `mx-400`, `wi-fi`, `4.7`, `l'oreal`, `h&m`.
    Connector(char),
    /// White space only.
    Space,
    /// Punctuation, or the beginning of the text.
    Break,
}

/// A maximal sequence of characters of one script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) script: Script,
    /// What stands before the run.
    pub(crate) separator: Separator,
    /// The folded characters, each with its byte range in the original text.
    pub(crate) chars: Vec<(char, usize, usize)>,
}

impl Run {
    /// The folded text.
    pub(crate) fn text(&self) -> String {
        self.chars.iter().map(|(c, _, _)| c).collect()
    }

    /// The byte offset of its beginning in the original text.
    pub(crate) fn start(&self) -> usize {
        self.chars.first().map_or(0, |(_, start, _)| *start)
    }

    /// The byte offset of its end in the original text.
    pub(crate) fn end(&self) -> usize {
        self.chars.last().map_or(0, |(_, _, end)| *end)
    }
}

/// Splits `text` into runs; characters that are neither letters, digits nor Chinese only separate them.
pub(crate) fn split_runs(text: &str) -> Vec<Run> {
    let mut splitter = Splitter::default();
    for (start, original) in text.char_indices() {
        let end = start + original.len_utf8();
        let mut visible = false;
        fold_char(original, |c| {
            visible = true;
            splitter.push(c, start, end);
        });
        if !visible {
            splitter.extend(start, end);
        }
    }
    splitter.runs
}

#[derive(Default)]
struct Splitter {
    runs: Vec<Run>,
    pending: PendingSeparator,
}

impl Splitter {
    fn push(&mut self, c: char, start: usize, end: usize) {
        let Some(script) = script_of(c) else {
            self.pending.push(c);
            return;
        };
        match self.runs.last_mut() {
            Some(run) if run.script == script && self.pending.is_empty() => {
                run.chars.push((c, start, end));
            }
            last => {
                let before = last.map(|run| run.script);
                let separator = self.pending.take(before, script);
                self.runs.push(Run { script, separator, chars: vec![(c, start, end)] });
            }
        }
    }

    /// Adds an invisible character or a diacritic to the character before it, so that both are marked.
    fn extend(&mut self, start: usize, end: usize) {
        let last = self.runs.last_mut().and_then(|run| run.chars.last_mut());
        if let Some((_, _, before)) = last.filter(|(_, _, before)| *before == start) {
            *before = end;
        }
    }
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

/// Punctuation within words. Slashes and commas separate: `red/black` is two words.
fn is_connector(mark: char) -> bool {
    matches!(mark, '-' | '‐' | '‑' | '_' | '.' | '·' | '\'' | '’' | '‘' | '´' | '`' | '&')
}

/// The separating characters since the last run, as far as they matter.
#[derive(Default)]
struct PendingSeparator {
    count: usize,
    first: Option<char>,
    only_space: bool,
}

impl PendingSeparator {
    fn push(&mut self, c: char) {
        self.only_space = c.is_whitespace() && (self.only_space || self.count == 0);
        self.first.get_or_insert(c);
        self.count += 1;
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn take(&mut self, before: Option<Script>, after: Script) -> Separator {
        let seen = std::mem::take(self);
        let (Some(before), Some(mark)) = (before, seen.first) else {
            return if before.is_none() { Separator::Break } else { Separator::None };
        };
        let words = before == Script::Word && after == Script::Word;
        if words && seen.count == 1 && is_connector(mark) {
            Separator::Connector(mark)
        } else if seen.only_space {
            Separator::Space
        } else {
            Separator::Break
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Separator, split_runs};

    fn shape(text: &str) -> Vec<(String, Separator)> {
        split_runs(text).iter().map(|run| (run.text(), run.separator)).collect()
    }

    #[test]
    fn adjacent_scripts_are_separate_runs() {
        assert_eq!(
            shape("AULA狼蛛F87 机械键盘"),
            [
                ("aula".to_owned(), Separator::Break),
                ("狼蛛".to_owned(), Separator::None),
                ("f87".to_owned(), Separator::None),
                ("机械键盘".to_owned(), Separator::Space),
            ]
        );
    }

    #[test]
    fn a_mark_connects_words_only_without_spaces() {
        assert_eq!(
            shape("mx-400 a - b"),
            [
                ("mx".to_owned(), Separator::Break),
                ("400".to_owned(), Separator::Connector('-')),
                ("a".to_owned(), Separator::Space),
                ("b".to_owned(), Separator::Break),
            ]
        );
    }

    #[test]
    fn offsets_are_those_of_the_original() {
        let text = "（Ｆ８７）";
        let found = split_runs(text);
        assert_eq!(found.len(), 1);
        assert_eq!(&text[found[0].start()..found[0].end()], "Ｆ８７");
    }

    #[test]
    fn invisible_characters_and_diacritics_belong_to_a_word() {
        let text = "Cafe\u{301} logi\u{200b}tech";
        let found = split_runs(text);
        let originals: Vec<&str> = found.iter().map(|run| &text[run.start()..run.end()]).collect();
        assert_eq!(originals, ["Cafe\u{301}", "logi\u{200b}tech"]);
        assert_eq!(shape(text)[1], ("logitech".to_owned(), Separator::Space));
    }

    #[test]
    fn punctuation_within_words_connects() {
        for text in ["L'Oréal", "L’Oréal", "L‘Oreal"] {
            assert!(matches!(shape(text)[1], (_, Separator::Connector(_))), "{text}");
        }
        assert!(matches!(shape("H&M")[1].1, Separator::Connector('&')));
        assert_eq!(shape("red/black")[1].1, Separator::Break);
    }

    #[test]
    fn emoji_and_marks_only_separate() {
        assert!(split_runs("\"(*🎧!?").is_empty());
    }
}
