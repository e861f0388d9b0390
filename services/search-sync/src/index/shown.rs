//! The products that earlier pages have shown.

use std::collections::BTreeSet;

use uuid::Uuid;

/// How many products are remembered. Their digests make 2.7 kB of a cursor.
const PRODUCTS_MAX: usize = 400;
/// The bytes of one digest. The last bytes of a `UUIDv7` are random, so that a product is taken for one of 400
/// others once in three thousand million times.
const DIGEST: usize = 5;

/// The products that earlier pages have shown, up to a limit.
///
/// The rank of the last hit is no sure place in a list by relevance: each product that comes or goes anywhere changes
/// the scores of all. A page of products that earlier pages have not shown repeats none and leaves none out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ShownProducts(BTreeSet<[u8; DIGEST]>);

impl ShownProducts {
    pub(crate) const fn new() -> Self {
        Self(BTreeSet::new())
    }

    /// Remembers a product, unless there are too many already.
    pub(crate) fn insert(&mut self, product: Uuid) {
        if !self.is_full() {
            self.0.extend(digest(product));
        }
    }

    pub(crate) fn contains(&self, product: Uuid) -> bool {
        !self.0.is_empty() && digest(product).is_some_and(|digest| self.0.contains(&digest))
    }

    /// Whether pages may have shown more products than these.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= PRODUCTS_MAX
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flatten().copied().collect()
    }

    /// `None` for bytes that are not of [`to_bytes`](Self::to_bytes).
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (digests, rest) = bytes.as_chunks::<DIGEST>();
        let fits = rest.is_empty() && digests.len() <= PRODUCTS_MAX;
        fits.then(|| Self(digests.iter().copied().collect()))
    }
}

fn digest(product: Uuid) -> Option<[u8; DIGEST]> {
    product.as_bytes().last_chunk::<DIGEST>().copied()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{PRODUCTS_MAX, ShownProducts};

    #[test]
    fn shown_products_survive_a_round_trip() {
        let mut shown = ShownProducts::new();
        for number in 0..500_u128 {
            assert_eq!(shown.is_full(), number >= 400);
            shown.insert(Uuid::from_u128(number));
        }
        assert!(shown.contains(Uuid::from_u128(7)) && !shown.contains(Uuid::from_u128(450)));
        let bytes = shown.to_bytes();
        assert_eq!(bytes.len(), PRODUCTS_MAX * 5);
        assert_eq!(ShownProducts::from_bytes(&bytes), Some(shown));
        assert_eq!(ShownProducts::from_bytes(&bytes[1..]), None);
        assert_eq!(ShownProducts::from_bytes(&[]), Some(ShownProducts::new()));
    }
}
