//! Finds the matches of a query in a title, to highlight and to correct.

use std::{cell::OnceCell, ops::Range};

use super::{
    document::Localized,
    query_parser::{Alternative, MatchKind, Pattern, QueryWord},
};
use crate::text::{Script, Syllable, Token, readings, spelling_tokens, split_runs, word_tokens};

/// The title in the language that matches more words (Chinese on a tie), escaped for HTML, with `<em>` around
/// the matches.
pub(crate) fn highlight(title: &Localized, query: &[QueryWord]) -> String {
    let mut best: Option<(usize, String)> = None;
    for text in title.texts() {
        let analysed = AnalysedText::new(text);
        let found: Vec<Vec<Range<usize>>> =
            query.iter().map(|word| analysed.find_word(word)).collect();
        let matched = found.iter().filter(|ranges| !ranges.is_empty()).count();
        if best.as_ref().is_none_or(|(most, _)| matched > *most) {
            best = Some((matched, mark(text, found.into_iter().flatten().collect())));
        }
        if matched == query.len() {
            // The other language cannot match more.
            break;
        }
    }
    best.map(|(_, html)| html).unwrap_or_default()
}

/// A title, analysed at most once for many alternatives.
pub(crate) struct AnalysedTitle<'a>(Vec<AnalysedText<'a>>);

impl<'a> AnalysedTitle<'a> {
    pub(crate) fn new(title: &'a Localized) -> Self {
        Self(title.texts().map(AnalysedText::new).collect())
    }

    /// The text that an alternative matches.
    pub(crate) fn matched_text(&self, alternative: &Alternative) -> Option<String> {
        self.0.iter().find_map(|analysed| analysed.matched_text(alternative))
    }
}

/// A text, of which each part of the analysis is made when a pattern asks for it, for it costs more than most
/// searches.
struct AnalysedText<'a> {
    text: &'a str,
    words: OnceCell<Vec<Token>>,
    spellings: OnceCell<Vec<Token>>,
    chinese: OnceCell<Vec<ChineseRun>>,
}

/// A run of Chinese characters with their byte ranges.
type ChineseRun = Vec<(char, Range<usize>)>;

impl<'a> AnalysedText<'a> {
    fn new(text: &'a str) -> Self {
        let (words, spellings, chinese) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { text, words, spellings, chinese }
    }

    fn words(&self) -> &[Token] {
        self.words.get_or_init(|| word_tokens(self.text))
    }

    fn spellings(&self) -> &[Token] {
        self.spellings.get_or_init(|| spelling_tokens(self.text))
    }

    fn chinese(&self) -> &[ChineseRun] {
        self.chinese.get_or_init(|| {
            split_runs(self.text)
                .into_iter()
                .filter(|run| run.script == Script::Chinese)
                .map(|run| run.chars.into_iter().map(|(c, start, end)| (c, start..end)).collect())
                .collect()
        })
    }

    fn matched_text(&self, alternative: &Alternative) -> Option<String> {
        let first = |found: Vec<Range<usize>>| found.into_iter().next();
        let ranges: Option<Vec<Range<usize>>> = match &alternative.pattern {
            Pattern::PinyinParts(parts) => {
                parts.iter().map(|part| first(self.find_pinyin(part))).collect()
            }
            pattern @ (Pattern::Word(_)
            | Pattern::Phrase(_)
            | Pattern::Characters { .. }
            | Pattern::Edge { .. }
            | Pattern::All(_)
            | Pattern::Pinyin(_)) => first(self.find(pattern)).map(|range| vec![range]),
        };
        ranges?.into_iter().map(|range| self.text.get(range)).collect()
    }

    /// The exact matches of a word; without any, the matches of the most likely alternative.
    fn find_word(&self, word: &QueryWord) -> Vec<Range<usize>> {
        let exact: Vec<Range<usize>> =
            word.exact.iter().flat_map(|alternative| self.find(&alternative.pattern)).collect();
        if !exact.is_empty() {
            return exact;
        }
        let others = word.tolerant.iter().chain(&word.apart);
        let tolerant = others.map(|alternative| self.find(&alternative.pattern));
        tolerant.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
    }

    fn find(&self, pattern: &Pattern) -> Vec<Range<usize>> {
        match pattern {
            Pattern::Word(word) => self
                .words()
                .iter()
                .chain(self.spellings())
                .filter(|token| token.text == *word)
                .map(|token| token.start..token.end)
                .collect(),
            Pattern::Phrase(parts) => {
                let found = find_phrase(self.words(), parts);
                if found.is_empty() { find_phrase(self.spellings(), parts) } else { found }
            }
            Pattern::Characters { positions, length } => self.find_chinese(*length, |chars| {
                positions.iter().all(|(position, c)| chars[*position].0 == *c)
            }),
            Pattern::Edge { character, .. } => {
                self.find_chinese(1, |chars| chars[0].0 == *character)
            }
            Pattern::All(patterns) => {
                let parts: Vec<_> = patterns.iter().map(|pattern| self.find(pattern)).collect();
                let all = parts.iter().all(|found| !found.is_empty());
                if all { parts.into_iter().flatten().collect() } else { Vec::new() }
            }
            Pattern::Pinyin(syllables) => self.find_pinyin(syllables),
            Pattern::PinyinParts(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.find_pinyin(part)).collect();
                let all = parts.iter().all(|found| !found.is_empty());
                if all { parts.into_iter().flatten().collect() } else { Vec::new() }
            }
        }
    }

    fn find_pinyin(&self, syllables: &[Syllable]) -> Vec<Range<usize>> {
        self.find_chinese(syllables.len(), |chars| {
            syllables.iter().zip(chars).all(|(syllable, (c, _))| syllable.matches(&readings(*c)))
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
        let windows = self.chinese().iter().flat_map(|run| run.windows(length));
        windows
            .filter(|window| matches(window))
            .map(|window| window[0].1.start..window[length - 1].1.end)
            .collect()
    }
}

fn find_phrase(tokens: &[Token], parts: &[String]) -> Vec<Range<usize>> {
    let Some(first) = parts.first() else { return Vec::new() };
    let starts = tokens.iter().filter(|token| token.text == *first);
    starts
        .filter_map(|start| {
            let mut end = start.end;
            for (offset, part) in parts.iter().enumerate().skip(1) {
                let next = tokens.iter().find(|token| {
                    token.position == start.position + offset && token.text == *part
                })?;
                end = next.end;
            }
            Some(start.start..end)
        })
        .collect()
}

/// Escapes `text` for HTML and puts `<em>` around the byte ranges.
fn mark(text: &str, mut ranges: Vec<Range<usize>>) -> String {
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

/// Whether an alternative may correct the query; completions may not.
pub(crate) fn is_correction(alternative: &Alternative) -> bool {
    match alternative.kind {
        MatchKind::Typo | MatchKind::Phonetic => true,
        MatchKind::Exact
        | MatchKind::BrandName
        | MatchKind::Synonym
        | MatchKind::Prefix
        | MatchKind::Apart => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{highlight, mark};
    use crate::index::{document::Localized, query_parser::parse};

    fn html(title: &str, q: &str) -> String {
        let title = Localized { zh: Some(title.to_owned()), en: None };
        highlight(&title, &parse(q).words)
    }

    #[test]
    fn matches_are_marked_and_text_is_escaped() {
        assert_eq!(
            html("AULA狼蛛F87 机械键盘 <script>alert('x')</script>", "f87 键盘"),
            "AULA狼蛛<em>F87</em> 机械<em>键盘</em> &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"
        );
        assert_eq!(html("<script>", "script"), "&lt;<em>script</em>&gt;");
    }

    #[test]
    fn adjacent_matches_are_merged() {
        assert_eq!(html("无线机械键盘", "机械键盘"), "无线<em>机械键盘</em>");
    }

    #[test]
    fn split_words_and_plurals_are_marked() {
        assert_eq!(html("Apple iPhone 15", "iphone15"), "Apple <em>iPhone 15</em>");
        assert_eq!(html("Wireless Headphones", "headphone"), "Wireless <em>Headphones</em>");
    }

    #[test]
    fn overlapping_ranges_are_merged() {
        assert_eq!(mark("abcdef", vec![3..5, 0..2, 1..4]), "<em>abcde</em>f");
    }
}
