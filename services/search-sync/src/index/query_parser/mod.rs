//! Parses a query into words, each with the patterns that may match it.
//!
//! The patterns range from the exact word to spelling corrections, homophones and pinyin. Parsing is pure;
//! the caller passes the lookups in the term dictionaries.

mod divided;
mod exact;
mod parsed_query;
mod phonetic;
mod synonyms;
mod tokens;
mod typos;

use self::{
    divided::push_divisions,
    exact::{apart_alternatives, exact_alternatives, joined_with_neighbour, phrases},
    phonetic::{push_homophones, push_pinyin},
    synonyms::push_synonyms,
    tokens::{QueryToken, tokenise},
    typos::{push_spelling_corrections, push_wrong_characters},
};
pub(crate) use self::{
    parsed_query::{Alternative, MatchKind, ParsedQuery, Pattern, QueryWord},
    synonyms::{SynonymTable, SynonymWord},
};
use super::schema::collapse_code;
use crate::text::{Script, fold};

/// The part of a query that is read, in characters.
const QUERY_MAX: usize = 256;
/// The maximum number of words of a query.
pub(crate) const WORDS_MAX: usize = 12;

/// Words that need not match.
const STOP_WORDS: [&str; 19] = [
    "a", "an", "and", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with", "的", "和",
    "与", "及", "或", "之",
];

/// The words of the index.
pub(crate) trait Vocabulary {
    type Error;

    /// Whether any title contains the word.
    fn contains(&self, word: &str) -> Result<bool, Self::Error>;

    /// The words within an edit distance of `word`, the most frequent first, without `word` itself.
    fn similar(&self, word: &str, distance: u8) -> Result<Vec<String>, Self::Error>;

    /// The words that start with `word`, the most frequent first, without `word` itself.
    fn completions(&self, word: &str) -> Result<Vec<String>, Self::Error>;
}

/// Parses a query into words with their exact alternatives.
pub(crate) fn parse(q: &str) -> ParsedQuery {
    let q = shorten(q);
    parse_tokens(&q, &tokenise(&q))
}

/// Parses a query into words with their exact and tolerant alternatives. The last word may be incomplete.
///
/// `vocabulary` looks up the words of the index.
pub(crate) fn parse_tolerantly<V: Vocabulary>(
    q: &str,
    vocabulary: &V,
) -> Result<ParsedQuery, V::Error> {
    let q = shorten(q);
    let tokens = tokenise(&q);
    let mut parsed = parse_tokens(&q, &tokens);
    for (index, token) in tokens.iter().enumerate() {
        let is_last = index + 1 == tokens.len();
        let tolerant = &mut parsed.words[index].tolerant;
        match token.script {
            Script::Word => {
                push_spelling_corrections(token, index, vocabulary, tolerant)?;
                push_divisions(token, index, vocabulary, tolerant)?;
                let joined = joined_with_neighbour(&tokens, index, false).into_iter();
                tolerant.extend(joined.map(|(pattern, covers)| Alternative {
                    pattern,
                    weight: 0.8,
                    covers,
                    kind: MatchKind::Typo,
                }));
                if is_last {
                    push_completions(token, index, vocabulary, tolerant)?;
                }
                push_pinyin(&tokens, index, tolerant);
            }
            Script::Chinese => push_homophones(&tokens, index, tolerant),
        }
    }
    push_wrong_characters(&tokens, &mut parsed.words);
    for word in &mut parsed.words {
        word.tolerant.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    }
    Ok(parsed)
}

/// Adds the synonyms of the words and phrases of `q` to its exact alternatives.
pub(crate) fn add_synonyms(q: &str, synonyms: &SynonymTable, parsed: &mut ParsedQuery) {
    push_synonyms(&tokenise(&shorten(q)), synonyms, &mut parsed.words);
}

fn shorten(q: &str) -> String {
    fold(q).trim().chars().take(QUERY_MAX).collect()
}

fn parse_tokens(q: &str, tokens: &[QueryToken]) -> ParsedQuery {
    let words = tokens
        .iter()
        .enumerate()
        .map(|(index, token)| QueryWord {
            typed: token.text(),
            after_space: token.after_space,
            is_stop_word: tokens.len() > 1 && STOP_WORDS.contains(&token.text().as_str()),
            exact: exact_alternatives(tokens, index),
            tolerant: Vec::new(),
            apart: apart_alternatives(token, index),
        })
        .collect();
    ParsedQuery { words, is_blank: q.is_empty(), phrases: phrases(tokens), code: collapse_code(q) }
}

fn push_completions<V: Vocabulary>(
    token: &QueryToken,
    index: usize,
    vocabulary: &V,
    found: &mut Vec<Alternative>,
) -> Result<(), V::Error> {
    for word in vocabulary.completions(&token.text())? {
        found.push(Alternative {
            pattern: Pattern::Word(word),
            weight: 0.5,
            covers: index..index + 1,
            kind: MatchKind::Prefix,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::{
        Alternative, MatchKind, Pattern, QueryWord, Vocabulary, WORDS_MAX, parse, parse_tolerantly,
    };
    use crate::text::Syllable;

    struct Words;

    const WORDS: [&str; 9] =
        ["logitech", "mouse", "red", "bull", "iphone", "15", "pro", "max", "airpods"];

    impl Vocabulary for Words {
        type Error = Infallible;

        fn contains(&self, word: &str) -> Result<bool, Infallible> {
            Ok(WORDS.contains(&word))
        }

        fn similar(&self, word: &str, _: u8) -> Result<Vec<String>, Infallible> {
            Ok(words(|known| known.len() == word.len()))
        }

        fn completions(&self, word: &str) -> Result<Vec<String>, Infallible> {
            Ok(words(|known| known.starts_with(word)))
        }
    }

    fn words(fits: impl Fn(&str) -> bool) -> Vec<String> {
        WORDS.into_iter().filter(|word| fits(word)).map(str::to_owned).collect()
    }

    fn tolerant(q: &str) -> Vec<QueryWord> {
        let Ok(parsed) = parse_tolerantly(q, &Words);
        parsed.words
    }

    fn typed(q: &str) -> Vec<String> {
        parse(q).words.into_iter().map(|word| word.typed).collect()
    }

    fn has_pinyin(word: &QueryWord, syllables: &[&str]) -> bool {
        let pinyin =
            Pattern::Pinyin(syllables.iter().map(|s| Syllable::Full((*s).to_owned())).collect());
        word.tolerant.iter().any(|alternative| alternative.pattern == pinyin)
    }

    fn has_typo(word: &QueryWord) -> bool {
        word.tolerant.iter().any(|alternative| alternative.kind == MatchKind::Typo)
    }

    #[test]
    fn a_mixed_query_is_split_into_words() {
        assert_eq!(typed("AULA f87机械键盘"), ["aula", "f87", "机械", "键盘"]);
        assert_eq!(typed("mx-400"), ["mx400"]);
        assert!(typed("\"(*🎧").is_empty());
        assert_eq!(typed(&"word ".repeat(2_000)).len(), WORDS_MAX);
    }

    #[test]
    fn a_title_may_separate_letters_and_digits() {
        let words = parse("iphone15").words;
        let split = Pattern::Phrase(vec!["iphone".to_owned(), "15".to_owned()]);
        assert!(words[0].exact.iter().any(|alternative| alternative.pattern == split));
        let words = parse("iphone 15").words;
        let joined = Pattern::Word("iphone15".to_owned());
        assert!(words.iter().all(|word| word.exact.iter().any(|a| a.pattern == joined)));
    }

    #[test]
    fn words_run_together_are_divided() {
        for (q, words) in [
            ("redbull", vec!["red", "bull"]),
            ("iphone15promax", vec!["iphone", "15", "pro", "max"]),
            ("airpodspro", vec!["airpods", "pro"]),
        ] {
            let phrase = Pattern::Phrase(words.into_iter().map(str::to_owned).collect());
            let found = tolerant(q).remove(0).tolerant;
            assert!(found.iter().any(|alternative| alternative.pattern == phrase), "{q}");
        }
    }

    #[test]
    fn an_unknown_word_stays_together() {
        assert_eq!(typed("红米手机"), ["红米", "手机"]);
        assert_eq!(typed("红色的锅"), ["红色", "的", "锅"]);
        assert_eq!(typed("65瓦快充"), ["65", "瓦", "快充"]);
    }

    #[test]
    fn a_measure_has_one_spelling() {
        for (q, word) in
            [("65瓦", "65w"), ("500毫升", "500ml"), ("65watt", "65w"), ("256g", "256gb")]
        {
            let pattern = Pattern::Word(word.to_owned());
            for found in parse(q).words {
                assert!(found.exact.iter().any(|a| a.pattern == pattern), "{q}: {found:?}");
            }
        }
    }

    #[test]
    fn words_with_digits_are_never_corrected() {
        assert!(!tolerant("f87proxyz").iter().any(has_typo));
        assert!(has_typo(&tolerant("logitecj")[0]));
        assert!(!has_typo(&tolerant("mous")[0]));
    }

    #[test]
    fn pinyin_spans_spaces_and_stands_next_to_brands() {
        let all = ["ji", "xie", "jian", "pan"];
        for q in ["jixiejianpan", "jixie jianpan", "ji xie jian pan"] {
            assert!(tolerant(q).iter().all(|word| has_pinyin(word, &all)), "{q}");
        }
        let words = tolerant("aula jixiejianpan");
        assert!(has_pinyin(&words[1], &all));
        let spans_words = |a: &Alternative| a.kind == MatchKind::Phonetic && a.covers.len() > 1;
        assert!(!words[0].tolerant.iter().any(spans_words));
    }

    #[test]
    fn wrong_character_is_corrected_from_three_characters_on() {
        assert!(tolerant("机戒键盘").iter().all(has_typo));
        let has_guess = |word: &QueryWord| word.apart.iter().any(|a| a.kind == MatchKind::Typo);
        assert!(tolerant("电钣煲").iter().all(has_guess));
        assert!(!tolerant("键盆").iter().any(has_typo));
    }

    #[test]
    fn stop_words_need_not_match() {
        let parsed = parse("case for iphone");
        assert_eq!(
            parsed.words.iter().map(|word| word.is_stop_word).collect::<Vec<_>>(),
            [false, true, false]
        );
        assert!(!parse("for").words[0].is_stop_word);
    }
}
