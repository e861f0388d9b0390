//! Differences between the index and the catalogue.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use vocabulary::ProductId;

/// The differences between the index and the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drift {
    /// The number of products in the catalogue.
    pub(crate) catalogue: usize,
    /// The number of products in the index.
    pub(crate) index: usize,
    /// The number of mismatches.
    pub(crate) differing: usize,
    /// The first mismatches.
    pub(crate) mismatches: Vec<VersionMismatch>,
}

/// A product whose versions differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VersionMismatch {
    pub(crate) product_id: ProductId,
    /// The active version; `None` if the product does not belong in the index.
    pub(crate) catalogue_version: Option<i64>,
    /// The indexed version; `None` if the product is not in the index.
    pub(crate) index_version: Option<i64>,
}

/// The products whose versions differ, sorted.
pub(crate) fn version_mismatches(
    expected: &BTreeMap<Uuid, i64>,
    indexed: &BTreeMap<Uuid, i64>,
) -> Vec<VersionMismatch> {
    let products: BTreeSet<&Uuid> = expected.keys().chain(indexed.keys()).collect();
    products
        .into_iter()
        .map(|product| VersionMismatch {
            product_id: (*product).into(),
            catalogue_version: expected.get(product).copied(),
            index_version: indexed.get(product).copied(),
        })
        .filter(|mismatch| mismatch.catalogue_version != mismatch.index_version)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use uuid::Uuid;

    use super::version_mismatches;

    #[test]
    fn missing_stale_and_extra_products_differ() {
        let side = |versions: &[(u128, i64)]| -> BTreeMap<Uuid, i64> {
            versions.iter().map(|(id, version)| (Uuid::from_u128(*id), *version)).collect()
        };
        let found =
            version_mismatches(&side(&[(1, 1), (2, 2), (3, 3)]), &side(&[(1, 1), (2, 1), (4, 9)]));
        let found: Vec<_> = found
            .iter()
            .map(|one| {
                (one.product_id.as_uuid().as_u128(), one.catalogue_version, one.index_version)
            })
            .collect();
        assert_eq!(found, [(2, Some(2), Some(1)), (3, Some(3), None), (4, None, Some(9))]);
    }
}
