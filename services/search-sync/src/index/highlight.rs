//! Where a text says what was looked for, and how that is shown.

use std::ops::Range;

use super::document::Localized;
use super::interpret::{Alternative, Kind, Pattern, Word};
use crate::text::{Script, Syllable, Token, readings, runs, words};

/// The title in the language that says more of the query (Chinese where both say as much), escaped for HTML, with
/// `<em>` around what matches.
pub(super) fn highlighted(title: &Localized, query: &[Word]) -> String {
    let mut best: Option<(usize, String)> = None;
    for text in title.each() {
        let analysed = Analysed::new(text);
        let found: Vec<Vec<Range<usize>>> =
            query.iter().map(|word| analysed.find_word(word)).collect();
        let matched = found.iter().filter(|ranges| !ranges.is_empty()).count();
        if best.as_ref().is_none_or(|(most, _)| matched > *most) {
            best = Some((matched, marked(text, found.into_iter().flatten().collect())));
        }
    }
    best.map(|(_, html)| html).unwrap_or_default()
}

/// What a title says in place of words that no title says as they were typed.
pub(super) fn said(title: &Localized, alternative: &Alternative) -> Option<String> {
    title.each().find_map(|text| {
        let analysed = Analysed::new(text);
        let first = |found: Vec<Range<usize>>| found.into_iter().next();
        let ranges: Option<Vec<Range<usize>>> = match &alternative.pattern {
            Pattern::Sounds(parts) => {
                parts.iter().map(|part| first(analysed.find_sound(part))).collect()
            }
            pattern @ (Pattern::Word(_)
            | Pattern::Phrase(_)
            | Pattern::Characters { .. }
            | Pattern::Sound(_)) => first(analysed.find(pattern)).map(|range| vec![range]),
        };
        ranges?.into_iter().map(|range| text.get(range)).collect()
    })
}

/// A text, analysed once for many patterns.
struct Analysed {
    words: Vec<Token>,
    /// The stretches of Chinese characters with their byte ranges.
    chinese: Vec<Vec<(char, Range<usize>)>>,
}

impl Analysed {
    fn new(text: &str) -> Self {
        let chinese = runs(text)
            .into_iter()
            .filter(|run| run.script == Script::Chinese)
            .map(|run| run.chars.into_iter().map(|(c, start, end)| (c, start..end)).collect())
            .collect();
        Self { words: words(text), chinese }
    }

    /// Where the word is said as it stands; if nowhere, where the likeliest thing that was meant is said.
    fn find_word(&self, word: &Word) -> Vec<Range<usize>> {
        let literal: Vec<Range<usize>> =
            word.literal.iter().flat_map(|alternative| self.find(&alternative.pattern)).collect();
        if !literal.is_empty() {
            return literal;
        }
        let meant = word.tolerant.iter().map(|alternative| self.find(&alternative.pattern));
        meant.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
    }

    fn find(&self, pattern: &Pattern) -> Vec<Range<usize>> {
        match pattern {
            Pattern::Word(word) => self
                .words
                .iter()
                .filter(|token| token.text == *word)
                .map(|token| token.start..token.end)
                .collect(),
            Pattern::Phrase(parts) => self.find_phrase(parts),
            Pattern::Characters { places, length } => self.find_chinese(*length, |chars| {
                places.iter().all(|(place, c)| chars[*place].0 == *c)
            }),
            Pattern::Sound(syllables) => self.find_sound(syllables),
            Pattern::Sounds(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.find_sound(part)).collect();
                let all = parts.iter().all(|found| !found.is_empty());
                if all { parts.into_iter().flatten().collect() } else { Vec::new() }
            }
        }
    }

    fn find_phrase(&self, parts: &[String]) -> Vec<Range<usize>> {
        let Some(first) = parts.first() else { return Vec::new() };
        let starts = self.words.iter().filter(|token| token.text == *first);
        starts
            .filter_map(|start| {
                let mut end = start.end;
                for (offset, part) in parts.iter().enumerate().skip(1) {
                    let next = self.words.iter().find(|token| {
                        token.position == start.position + offset && token.text == *part
                    })?;
                    end = next.end;
                }
                Some(start.start..end)
            })
            .collect()
    }

    fn find_sound(&self, syllables: &[Syllable]) -> Vec<Range<usize>> {
        self.find_chinese(syllables.len(), |chars| {
            syllables.iter().zip(chars).all(|(syllable, (c, _))| syllable.is_read(&readings(*c)))
        })
    }

    fn find_chinese(
        &self,
        length: usize,
        matches: impl Fn(&[(char, Range<usize>)]) -> bool,
    ) -> Vec<Range<usize>> {
        if length == 0 {
            return Vec::new();
        }
        let windows = self.chinese.iter().flat_map(|stretch| stretch.windows(length));
        windows
            .filter(|window| matches(window))
            .map(|window| window[0].1.start..window[length - 1].1.end)
            .collect()
    }
}

/// `text` escaped for HTML, with `<em>` around `ranges` (in bytes).
fn marked(text: &str, mut ranges: Vec<Range<usize>>) -> String {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut html = String::with_capacity(text.len() + 16);
    let mut at = 0;
    let mut ranges = ranges.into_iter().peekable();
    while let Some(range) = ranges.next() {
        let mut end = range.end;
        while let Some(next) = ranges.next_if(|next| next.start <= end) {
            end = end.max(next.end);
        }
        let (Some(before), Some(inside)) = (text.get(at..range.start), text.get(range.start..end))
        else {
            continue;
        };
        escape(before, &mut html);
        html.push_str("<em>");
        escape(inside, &mut html);
        html.push_str("</em>");
        at = end;
    }
    escape(text.get(at..).unwrap_or_default(), &mut html);
    html
}

fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
}

/// Whether a correction may be made of it: completions are no corrections.
pub(super) fn corrects(alternative: &Alternative) -> bool {
    match alternative.kind {
        Kind::Slip | Kind::Sound => true,
        Kind::Literal | Kind::Begun => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::interpret::read;
    use super::*;

    fn html(title: &str, q: &str) -> String {
        let title = Localized { zh: Some(title.to_owned()), en: None };
        highlighted(&title, &read(q).words)
    }

    #[test]
    fn matches_are_marked_and_all_else_escaped() {
        assert_eq!(
            html("AULA狼蛛F87 机械键盘 <script>alert('x')</script>", "f87 键盘"),
            "AULA狼蛛<em>F87</em> 机械<em>键盘</em> &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"
        );
        assert_eq!(html("<script>", "script"), "&lt;<em>script</em>&gt;");
    }

    #[test]
    fn neighbouring_matches_are_one() {
        assert_eq!(html("无线机械键盘", "机械键盘"), "无线<em>机械键盘</em>");
    }

    #[test]
    fn parts_and_spellings_are_found() {
        assert_eq!(html("Apple iPhone 15", "iphone15"), "Apple <em>iPhone 15</em>");
        assert_eq!(html("Wireless Headphones", "headphone"), "Wireless <em>Headphones</em>");
    }

    #[test]
    fn ranges_that_overlap_are_merged() {
        assert_eq!(marked("abcdef", vec![3..5, 0..2, 1..4]), "<em>abcde</em>f");
    }
}
