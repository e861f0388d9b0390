//! Pages of lists whose cursor is the id of the last item.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use problem::Problem;
use uuid::Uuid;

use super::invalid_query;

/// The number of items on a page; 400 unless it is between 1 and `max`.
pub(super) fn page_limit(limit: Option<u16>, default: u16, max: u16) -> Result<u16, Problem> {
    let limit = limit.unwrap_or(default);
    if !(1..=max).contains(&limit) {
        return Err(invalid_query("limit", format!("must be 1 to {max}")));
    }
    Ok(limit)
}

/// The cursor after the item with this id.
pub(super) fn encode_cursor(last: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

/// The id in a cursor; 400 if it is no cursor.
pub(super) fn decode_cursor<Id: From<Uuid>>(cursor: Option<&str>) -> Result<Option<Id>, Problem> {
    let id = |cursor: &str| Uuid::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok();
    let Some(cursor) = cursor else { return Ok(None) };
    let invalid = || invalid_query("cursor", "must be the next_cursor of a page");
    Ok(Some(id(cursor).ok_or_else(invalid)?.into()))
}

/// Cuts the items to one page. One more item than `limit` means that there is a next page; returns whether
/// there is.
pub(super) fn cut_page<T>(items: &mut Vec<T>, limit: u16) -> bool {
    let has_more = items.len() > usize::from(limit);
    items.truncate(usize::from(limit));
    has_more
}
