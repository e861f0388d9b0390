//! Pagination cursors: the rank of the last hit of a page, as an opaque text.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::{
    collector::Rank,
    query::{Query, SearchError},
};

/// The version of the layout below; cursors of another version are rejected.
const LAYOUT: u8 = 2;
const LENGTH: usize = 1 + 8 + 1 + 8 + 16;

/// Encodes the last hit of a page of `query`.
pub(crate) fn encode(query: &Query, last: &Rank) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.push(LAYOUT);
    bytes.extend(fingerprint(query).to_be_bytes());
    bytes.push(last.level);
    bytes.extend(last.key.to_be_bytes());
    bytes.extend(last.product_id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The last hit of the previous page. Fails unless `cursor` belongs to `query`.
pub(crate) fn decode(query: &Query, cursor: &str) -> Result<Rank, SearchError> {
    parse(query, cursor).ok_or(SearchError::InvalidCursor)
}

fn parse(query: &Query, cursor: &str) -> Option<Rank> {
    if cursor.len() > 2 * LENGTH {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok().filter(|bytes| bytes.len() == LENGTH)?;
    let (layout, rest) = bytes.split_first()?;
    let (encoded_fingerprint, rest) = rest.split_first_chunk::<8>()?;
    let (level, rest) = rest.split_first()?;
    let (key, id) = rest.split_first_chunk::<8>()?;
    if *layout != LAYOUT || u64::from_be_bytes(*encoded_fingerprint) != fingerprint(query) {
        return None;
    }
    let product_id = Uuid::from_slice(id).ok()?;
    Some(Rank { level: *level, key: i64::from_be_bytes(*key), product_id })
}

/// A hash (FNV-1a) of everything that determines the order of the hits. It is the same on every machine.
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
    use uuid::Uuid;

    use super::{Query, Rank, SearchError, decode, encode};

    #[test]
    fn a_cursor_belongs_to_its_search() {
        let query = Query { q: "键盘".to_owned(), ..Query::default() };
        let rank = Rank { level: 1, key: -7, product_id: Uuid::from_u128(9) };
        let cursor = encode(&query, &rank);
        assert_eq!(decode(&query, &cursor).ok(), Some(rank));
        let other = Query { q: "鼠标".to_owned(), ..Query::default() };
        for (query, cursor) in
            [(&other, cursor.as_str()), (&query, "x"), (&query, ""), (&query, "!!")]
        {
            assert!(matches!(decode(query, cursor), Err(SearchError::InvalidCursor)));
        }
        assert!(matches!(decode(&query, &"A".repeat(10_000)), Err(SearchError::InvalidCursor)));
    }
}
