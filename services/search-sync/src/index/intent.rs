//! What a query is after: the category that it names. 手机 names 智能手机, so phones precede their cases.

use tantivy::{Searcher, Term};

use super::{
    collector::Preference,
    filter::is_brand,
    query::SearchError,
    query_builder::QueryBuilder,
    query_parser::{Pattern, SynonymTable},
    schema::{Fields, Head, head_token},
};
use crate::text::{Script, is_chinese, query_heads, split_runs};

/// A word is the head of titles if so many of the titles with it end a part with it: one in this number.
const HEAD_SHARE: u64 = 8;
/// The same for English titles.
const ENGLISH_HEAD_SHARE: u64 = 2;

/// An English title says less surely what a thing is than a category or a Chinese title: its words may go on
/// with a colour, a size or the parts.
const ENGLISH_TITLE: Preference = Preference::Factor(1.5);

/// The products that a query is after.
pub(crate) struct Wanted {
    pub(crate) term: Term,
    pub(crate) preference: Preference,
}

/// The products that the query is after. `None` where it names no category and no kind of thing.
///
/// The last word decides: 手机壳 names the cases, not the phones. A leaf category precedes one above it, and both
/// precede titles. A synonym of a head counts as well. A brand is no category, even if it is the name of one
/// (小米, 苹果).
pub(crate) fn wanted_products(
    searcher: &Searcher,
    fields: &Fields,
    q: &str,
    synonyms: &SynonymTable,
) -> Result<Option<Wanted>, SearchError> {
    let heads = query_heads(q);
    let names = heads.iter().flat_map(|head| {
        let others = synonyms.others(head).iter().map(|word| &word.text);
        std::iter::once(head).chain(others)
    });
    let names: Vec<&String> = names.collect();
    for kind in [Head::Category, Head::ParentCategory] {
        for head in &names {
            let term = Term::from_field_text(fields.head, &head_token(kind, head));
            if searcher.doc_freq(&term)? > 0 {
                let named = !is_brand(searcher, head)?;
                return Ok(named.then_some(Wanted { term, preference: Preference::First }));
            }
        }
    }
    // The last words of a mixed query are mostly a colour or a size.
    let runs = split_runs(q);
    if runs.len() > 1 && runs.iter().any(|run| run.script == Script::Chinese) {
        return Ok(None);
    }
    head_of_titles(searcher, fields, &heads)
}

/// The term of the titles that end a part with the longest of these heads, if that is what titles do with it.
fn head_of_titles(
    searcher: &Searcher,
    fields: &Fields,
    heads: &[String],
) -> Result<Option<Wanted>, SearchError> {
    let builder = QueryBuilder { searcher, fields };
    for head in heads {
        let term = Term::from_field_text(fields.head, &head_token(Head::Title, head));
        let ending = searcher.doc_freq(&term)?;
        if ending == 0 {
            continue;
        }
        let anywhere = match builder.pattern(&pattern(head))? {
            Some(query) => u64::try_from(query.count(searcher)?).unwrap_or(u64::MAX),
            None => 0,
        };
        let (share, preference) = if head.chars().any(is_chinese) {
            (HEAD_SHARE, Preference::First)
        } else {
            (ENGLISH_HEAD_SHARE, ENGLISH_TITLE)
        };
        let is_head = ending.saturating_mul(share) >= anywhere && !is_brand(searcher, head)?;
        return Ok(is_head.then_some(Wanted { term, preference }));
    }
    Ok(None)
}

/// The pattern that finds a head anywhere in a title.
fn pattern(head: &str) -> Pattern {
    if head.chars().any(is_chinese) {
        let positions: Vec<(usize, char)> = head.chars().enumerate().collect();
        let length = positions.len();
        return Pattern::Characters { positions, length };
    }
    Pattern::Phrase(head.split(' ').map(str::to_owned).collect())
}
