//! What a query is after: the category that it names. 手机 names 智能手机, so phones precede their cases.

use tantivy::{Searcher, Term};

use super::{
    filter::is_brand,
    query::SearchError,
    query_builder::QueryBuilder,
    query_parser::Pattern,
    schema::{Fields, Head, head_token},
};
use crate::text::{Script, query_heads, split_runs};

/// A word is the head of titles if so many of the titles with it end a part with it: one in this number.
const HEAD_SHARE: u64 = 8;

/// The term of the products that the query is after. `None` where it names no category and no kind of thing.
///
/// The last word decides: 手机壳 names the cases, not the phones. A leaf category precedes one above it, and both
/// precede titles. A brand is no category, even if it is the name of one (小米, 苹果).
pub(crate) fn wanted_products(
    searcher: &Searcher,
    fields: &Fields,
    q: &str,
) -> Result<Option<Term>, SearchError> {
    let heads = query_heads(q);
    for kind in [Head::Category, Head::ParentCategory] {
        for head in &heads {
            let term = Term::from_field_text(fields.head, &head_token(kind, head));
            if searcher.doc_freq(&term)? > 0 {
                let named = !is_brand(searcher, head)?;
                return Ok(named.then_some(term));
            }
        }
    }
    if let [run] = split_runs(q).as_slice()
        && run.script == Script::Chinese
    {
        return head_of_titles(searcher, fields, &heads);
    }
    Ok(None)
}

/// The term of the titles that end a part with the longest of these heads, if that is what titles do with it.
fn head_of_titles(
    searcher: &Searcher,
    fields: &Fields,
    heads: &[String],
) -> Result<Option<Term>, SearchError> {
    let builder = QueryBuilder { searcher, fields };
    for head in heads {
        let term = Term::from_field_text(fields.head, &head_token(Head::Title, head));
        let ending = searcher.doc_freq(&term)?;
        if ending == 0 {
            continue;
        }
        let positions: Vec<(usize, char)> = head.chars().enumerate().collect();
        let length = positions.len();
        let anywhere = match builder.pattern(&Pattern::Characters { positions, length })? {
            Some(query) => u64::try_from(query.count(searcher)?).unwrap_or(u64::MAX),
            None => 0,
        };
        let is_head = ending.saturating_mul(HEAD_SHARE) >= anywhere && !is_brand(searcher, head)?;
        return Ok(is_head.then_some(term));
    }
    Ok(None)
}
