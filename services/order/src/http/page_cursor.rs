//! The parameter `cursor` of lists: an id that clients do not take apart.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use problem::Problem;
use uuid::Uuid;

use super::page_limit::invalid_parameter;

/// Cuts `items` to a page of `limit`, and returns the cursor of the next page. One item more than the limit tells that there is one.
pub(super) fn next_cursor<T>(
    items: &mut Vec<T>,
    limit: u16,
    id_of: impl Fn(&T) -> Uuid,
) -> Option<String> {
    let has_more = items.len() > usize::from(limit);
    items.truncate(limit.into());
    items.last().filter(|_| has_more).map(|last| URL_SAFE_NO_PAD.encode(id_of(last)))
}

/// The id in a cursor; 400 if it is none of this service.
pub(super) fn decode_cursor<Id: From<Uuid>>(cursor: &str) -> Result<Id, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let last = bytes.and_then(|bytes| Uuid::from_slice(&bytes).ok());
    last.map(Id::from).ok_or_else(|| {
        invalid_parameter("cursor", "must be a `next_cursor` of this list".to_owned())
    })
}
