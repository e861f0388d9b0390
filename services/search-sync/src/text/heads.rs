//! The head of a name: the word that says what a thing is. In Chinese and English it comes last: 华为手机 is a
//! phone, 手机壳 a case.

use std::collections::BTreeSet;

use super::{
    chinese::{inner_words, segment_words},
    runs::{Run, Script, Separator, split_runs},
    tokens::singular,
};

/// The shortest Chinese head, in characters.
const HEAD_MIN: usize = 2;
/// The longest head, in characters.
const HEAD_MAX: usize = 12;
/// What follows these words is what an accessory is made for.
const FOR: [&str; 4] = ["适用", "兼容", "适配", "for"];
/// What follows these words in an English title tells more about the thing, but not what it is.
const DETAIL: [&str; 8] = ["for", "with", "in", "from", "by", "of", "and", "to"];

/// The heads of a name, each a part of the next: 手机 and 智能手机 of 智能手机, `case` and `phone case` of `Phone
/// Cases`.
pub(crate) fn name_heads(name: &str) -> Vec<String> {
    let runs = split_runs(name);
    let mut found = match runs.last() {
        Some(run) if run.script == Script::Chinese => run_heads(run),
        _ => word_heads(&runs),
    };
    found.reverse();
    found
}

/// The heads that a query may have, those of its last words first, and of these the longest first.
///
/// In `case for iphone`, the head is before `for`.
pub(crate) fn query_heads(q: &str) -> Vec<String> {
    let mut runs = split_runs(q);
    if let Some(end) = runs.iter().position(|run| FOR.contains(&run.text().as_str())) {
        runs.truncate(end);
    }
    let mut found = Vec::new();
    for end in (1..=runs.len()).rev() {
        let run = &runs[end - 1];
        match run.script {
            // The query may begin a head anywhere: a title of an unknown brand is divided in any way.
            Script::Chinese => {
                let chars: Vec<char> = run.chars.iter().map(|(c, _, _)| *c).collect();
                let lengths = (HEAD_MIN..=chars.len().min(HEAD_MAX)).rev();
                found.extend(lengths.map(|length| chars[chars.len() - length..].iter().collect()));
            }
            Script::Word => found.extend(word_heads(&runs[..end])),
        }
    }
    found
}

/// The heads of the parts of a title. A part that says what the product is for has none.
///
/// In English, only the part before the first comma or preposition tells what the thing is: `Mummy Sleeping Bag,
/// Hollow Fibre, for Summer`.
pub(crate) fn title_heads(title: &str) -> Vec<String> {
    let runs = split_runs(title);
    let first = runs.iter().skip(1).take_while(|run| {
        run.separator != Separator::Break && !DETAIL.contains(&run.text().as_str())
    });
    let mut words: Vec<Run> = runs.iter().take(1).chain(first).cloned().collect();
    // The number of the model may come last: `Plush Toy NT676`.
    let is_code = |run: &Run| run.chars.iter().any(|(c, _, _)| c.is_ascii_digit());
    while words.last().is_some_and(is_code) {
        words.pop();
    }
    let is_latin = !words.is_empty() && words.iter().all(|run| run.script == Script::Word);
    let mut found = if is_latin { word_heads(&words) } else { Vec::new() };
    let chinese = runs.iter().filter(|run| run.script == Script::Chinese);
    let own = chinese.filter(|run| !FOR.iter().any(|word| run.text().starts_with(word)));
    found.extend(own.flat_map(run_heads));
    found
}

/// The ends of a Chinese run that begin with a word, the longest first.
fn run_heads(run: &Run) -> Vec<String> {
    let chars: Vec<char> = run.chars.iter().map(|(c, _, _)| *c).collect();
    let mut starts = BTreeSet::new();
    for (from, to) in segment_words(&run.text()) {
        starts.insert(from);
        let last = inner_words(&chars[from..to]).into_iter().filter(|(_, end)| from + end == to);
        starts.extend(last.map(|(start, _)| from + start));
    }
    let fits = |from: &usize| (HEAD_MIN..=HEAD_MAX).contains(&(chars.len() - from));
    starts.into_iter().filter(fits).map(|from| chars[from..].iter().collect()).collect()
}

/// The last two words, then the last one.
fn word_heads(runs: &[Run]) -> Vec<String> {
    let Some((last, before)) = runs.split_last() else { return Vec::new() };
    let text = last.text();
    let last_word = singular(&text).unwrap_or(text);
    let mut found = Vec::new();
    if last.separator == Separator::Space
        && let Some(before) = before.last().filter(|run| run.script == Script::Word)
    {
        found.push(format!("{} {last_word}", before.text()));
    }
    found.push(last_word);
    found
}

#[cfg(test)]
mod tests {
    use super::{name_heads, query_heads, title_heads};

    #[test]
    fn a_name_ends_with_its_head() {
        assert_eq!(name_heads("智能手机"), ["手机", "智能手机"]);
        assert_eq!(name_heads("Phone Cases"), ["case", "phone case"]);
        assert!(name_heads("手机壳").contains(&"手机壳".to_owned()));
        assert!(!name_heads("手机壳").contains(&"手机".to_owned()));
        assert!(name_heads("").is_empty());
    }

    #[test]
    fn a_query_has_the_heads_of_its_last_words() {
        assert_eq!(query_heads("华为手机"), ["华为手机", "为手机", "手机"]);
        assert_eq!(query_heads("手机 256g").last().map(String::as_str), Some("手机"));
        assert_eq!(query_heads("case for iphone"), ["case"]);
        assert!(query_heads("锅").is_empty());
    }

    #[test]
    fn what_a_title_is_for_is_no_head() {
        assert!(title_heads("星澜 5G手机 8GB").contains(&"手机".to_owned()));
        assert!(!title_heads("极光 适用星澜手机壳 磨砂").contains(&"手机".to_owned()));
        assert!(!title_heads("充电器 适用华为手机").contains(&"手机".to_owned()));
    }

    #[test]
    fn the_first_part_of_an_english_title_has_the_head() {
        for (title, heads) in [
            ("Camel Mummy Sleeping Bag, Hollow Fibre, for Summer", ["sleeping bag", "bag"]),
            ("Manke Phone Case for iPhone, Liquid Silicone", ["phone case", "case"]),
            ("Miniso Plush Toy MS688", ["plush toy", "toy"]),
        ] {
            assert_eq!(title_heads(title), heads);
        }
    }
}
