//! Where a page ended, as an opaque text.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::query::{Query, SearchError};
use super::scan::Rank;

/// Of the layout below; an older one is refused.
const LAYOUT: u8 = 1;
const LENGTH: usize = 1 + 8 + 1 + 8 + 16;

/// The text for the last hit of a page of `query`.
pub(super) fn encode(query: &Query, last: &Rank) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.push(LAYOUT);
    bytes.extend(fingerprint(query).to_be_bytes());
    bytes.push(last.rung);
    bytes.extend(last.key.to_be_bytes());
    bytes.extend(last.product_id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The last hit of the page before, if `cursor` belongs to `query`.
pub(super) fn decode(query: &Query, cursor: &str) -> Result<Rank, SearchError> {
    parse(query, cursor).ok_or(SearchError::Cursor)
}

fn parse(query: &Query, cursor: &str) -> Option<Rank> {
    if cursor.len() > 2 * LENGTH {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().filter(|bytes| bytes.len() == LENGTH)?;
    let (layout, rest) = bytes.split_first()?;
    let (print, rest) = rest.split_first_chunk::<8>()?;
    let (rung, rest) = rest.split_first()?;
    let (key, id) = rest.split_first_chunk::<8>()?;
    if *layout != LAYOUT || u64::from_be_bytes(*print) != fingerprint(query) {
        return None;
    }
    let product_id = Uuid::from_slice(id).ok()?;
    Some(Rank { rung: *rung, key: i64::from_be_bytes(*key), product_id })
}

/// A number that differs between searches whose pages do not go on from one another (FNV-1a, the same everywhere).
fn fingerprint(query: &Query) -> u64 {
    let Query { q, category, brands, price_min, price_max, in_stock, attributes, sort, .. } = query;
    let text = format!(
        "{q:?}{category:?}{brands:?}{price_min:?}{price_max:?}{in_stock:?}{attributes:?}{sort:?}"
    );
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_belong_to_their_search() {
        let query = Query { q: "键盘".to_owned(), ..Query::default() };
        let rank = Rank { rung: 1, key: -7, product_id: Uuid::from_u128(9) };
        let cursor = encode(&query, &rank);
        assert_eq!(decode(&query, &cursor).ok(), Some(rank));
        let other = Query { q: "鼠标".to_owned(), ..Query::default() };
        for (query, cursor) in
            [(&other, cursor.as_str()), (&query, "x"), (&query, ""), (&query, "!!")]
        {
            assert!(matches!(decode(query, cursor), Err(SearchError::Cursor)));
        }
        assert!(matches!(decode(&query, &"A".repeat(10_000)), Err(SearchError::Cursor)));
    }
}
