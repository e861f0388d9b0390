//! Pagination cursors: where the next page begins, as an opaque text.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use uuid::Uuid;

use super::{
    collector::Rank,
    page::PageStart,
    query::{Query, SearchError},
    shown::ShownProducts,
};
use crate::domain::Moment;

/// The version of the layout below; cursors of another version are rejected.
const LAYOUT: u8 = 4;
/// The longest cursor, in characters.
const LENGTH_MAX: usize = 4_000;

/// Encodes the beginning of the next page of `query`.
pub(crate) fn encode(query: &Query, next: &PageStart) -> String {
    let mut position = Vec::new();
    let rank = next.after.unwrap_or(Rank { level: 0, key: 0, product_id: Uuid::nil() });
    position.push(u8::from(next.after.is_some()));
    position.push(rank.level);
    position.extend(rank.key.to_be_bytes());
    position.extend(rank.product_id.as_bytes());
    position.extend(next.shown.to_be_bytes());
    position.extend(next.next_place.to_be_bytes());
    position.extend(next.moment.revision.to_be_bytes());
    position.extend(next.moment.time.timestamp_millis().to_be_bytes());
    position.extend(next.products.to_bytes());
    let mut bytes = vec![LAYOUT];
    bytes.extend(checksum(query, &position).to_be_bytes());
    bytes.extend(position);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The beginning of the page. Fails unless `cursor` belongs to `query` and is unchanged.
pub(crate) fn decode(query: &Query, cursor: &str) -> Result<PageStart, SearchError> {
    parse(query, cursor).ok_or(SearchError::InvalidCursor)
}

fn parse(query: &Query, cursor: &str) -> Option<PageStart> {
    if cursor.len() > LENGTH_MAX {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (layout, rest) = bytes.split_first()?;
    let (sum, position) = rest.split_first_chunk::<8>()?;
    if *layout != LAYOUT || u64::from_be_bytes(*sum) != checksum(query, position) {
        return None;
    }
    let (has_rank, rest) = position.split_first()?;
    let (level, rest) = rest.split_first()?;
    let (key, rest) = rest.split_first_chunk::<8>()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let (shown, rest) = rest.split_first_chunk::<4>()?;
    let (next_place, rest) = rest.split_first_chunk::<4>()?;
    let (revision, rest) = rest.split_first_chunk::<8>()?;
    let (time, products) = rest.split_first_chunk::<8>()?;
    let rank =
        Rank { level: *level, key: i64::from_be_bytes(*key), product_id: Uuid::from_bytes(*id) };
    let time = i64::from_be_bytes(*time);
    Some(PageStart {
        after: (*has_rank == 1).then_some(rank),
        products: ShownProducts::from_bytes(products)?,
        shown: u32::from_be_bytes(*shown),
        next_place: u32::from_be_bytes(*next_place),
        moment: Moment {
            revision: i64::from_be_bytes(*revision),
            time: DateTime::from_timestamp_millis(time)?,
        },
    })
}

/// A hash (FNV-1a) of the position and of everything that determines the order of the hits. It is the same on
/// every machine.
fn checksum(query: &Query, position: &[u8]) -> u64 {
    let Query { q, category, brands, currency, price_min, price_max, .. } = query;
    let Query { in_stock, attributes, sort, .. } = query;
    let text = format!(
        "{q:?}{category:?}{brands:?}{currency}{price_min:?}{price_max:?}{in_stock:?}{attributes:?}{sort:?}"
    );
    text.bytes().chain(position.iter().copied()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use uuid::Uuid;
    use vocabulary::Currency;

    use super::{Moment, PageStart, Query, Rank, SearchError, ShownProducts, decode, encode};

    fn start() -> PageStart {
        let mut products = ShownProducts::new();
        products.insert(Uuid::from_u128(9));
        PageStart {
            after: Some(Rank { level: 1, key: -7, product_id: Uuid::from_u128(9) }),
            products,
            shown: 20,
            next_place: 3,
            moment: Moment { revision: 5, time: "2026-11-29T08:00:00.123Z".parse().unwrap() },
        }
    }

    fn keyboards() -> Query {
        Query { q: "键盘".to_owned(), ..Query::default() }
    }

    #[test]
    fn a_cursor_belongs_to_its_search() {
        let query = keyboards();
        for start in [start(), PageStart { after: None, ..start() }] {
            assert_eq!(decode(&query, &encode(&query, &start)).ok(), Some(start));
        }
        let cursor = encode(&query, &start());
        let other = Query { q: "鼠标".to_owned(), ..Query::default() };
        let abroad = Query { currency: Currency::EUR, ..keyboards() };
        for (query, cursor) in [
            (&other, cursor.as_str()),
            (&abroad, cursor.as_str()),
            (&query, "x"),
            (&query, ""),
            (&query, "!!"),
        ] {
            assert!(matches!(decode(query, cursor), Err(SearchError::InvalidCursor)));
        }
        assert!(matches!(decode(&query, &"A".repeat(10_000)), Err(SearchError::InvalidCursor)));
    }

    #[test]
    fn a_changed_cursor_is_refused() {
        let query = keyboards();
        let bytes = URL_SAFE_NO_PAD.decode(encode(&query, &start())).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let cursor = URL_SAFE_NO_PAD.encode(changed);
            assert!(decode(&query, &cursor).is_err(), "byte {index}");
        }
    }
}
