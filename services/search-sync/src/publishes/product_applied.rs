//! `product.applied.v1`: products are searchable in these versions.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contracts::receipts::{ProductAppliedV1, ProductVersion};
use vocabulary::{ProductId, Version};

use super::Lane;
use crate::NAME;

/// The receipt for these versions; `None` if there are none. Of several versions of a product it names the newest, which
/// settles the others.
pub fn product_applied(
    versions: impl IntoIterator<Item = (ProductId, Version)>,
    lane: &Lane,
    applied_at: DateTime<Utc>,
) -> Option<ProductAppliedV1> {
    let mut newest: BTreeMap<ProductId, Version> = BTreeMap::new();
    for (product_id, version) in versions {
        let held = newest.entry(product_id).or_insert(version);
        *held = (*held).max(version);
    }
    let of = |(product_id, version)| ProductVersion { product_id, version };
    let applied: Vec<ProductVersion> = newest.into_iter().map(of).collect();
    let lane = lane.0.clone();
    (!applied.is_empty()).then(|| ProductAppliedV1 {
        service: NAME.to_owned(),
        receipt_key: lane,
        applied,
        applied_at,
    })
}

#[cfg(test)]
mod tests {
    use vocabulary::{ProductId, Version};

    use super::{Lane, product_applied};

    #[test]
    fn the_newest_version_settles_the_others() {
        let (product, other) = (ProductId::new(), ProductId::new());
        let version = |number: i64| Version::try_from(number).unwrap();
        let versions = [(product, version(2)), (other, version(1)), (product, version(1))];
        let receipt = product_applied(versions, &Lane::any(), chrono::DateTime::default()).unwrap();
        let applied: Vec<_> =
            receipt.applied.iter().map(|one| (one.product_id, one.version)).collect();
        assert_eq!(applied, [(product, version(2)), (other, version(1))]);
        assert!(product_applied([], &Lane::any(), chrono::DateTime::default()).is_none());
    }
}
