//! `product.failed.v1`: the receipt for an event of a product that became a dead letter.

use chrono::{DateTime, Utc};
use contracts::{
    Envelope,
    receipts::{ProductFailedV1, ProductVersion},
};
use serde::Deserialize;
use vocabulary::{ProductId, Version};

use super::lane_of;
use crate::NAME;

/// As much of an event of a product as a receipt needs: the rest may be whatever made it a dead letter.
#[derive(Deserialize)]
struct Versioned {
    product_id: Option<ProductId>,
    version: Version,
}

/// The receipt for the event in `envelope`; `None` if not even its product and version can be read.
pub fn product_failed(
    envelope: &Envelope,
    reason: &str,
    failed_at: DateTime<Utc>,
) -> Option<ProductFailedV1> {
    let Versioned { product_id, version } = envelope.data().ok()?;
    let product_id = product_id.or_else(|| envelope.subject.parse().ok())?;
    Some(ProductFailedV1 {
        service: NAME.to_owned(),
        lane: lane_of(product_id),
        failed: ProductVersion { product_id, version },
        reason: format!("{} became a dead letter: {reason}.", envelope.kind),
        failed_at,
    })
}

#[cfg(test)]
mod tests {
    use contracts::Envelope;

    use super::product_failed;

    const PRODUCT: &str = "01920000-0000-7000-8000-000000000001";

    fn envelope(data: &str) -> Envelope {
        serde_json::from_str(&format!(
            r#"{{"specversion":"1.0","id":"{PRODUCT}","source":"product-catalog","type":"product.changed.v1","subject":"{PRODUCT}","time":"2026-11-22T08:00:00Z","sequence":"0000000000000000001","aggregate":"product","data":{data}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn product_and_version_are_read_from_what_is_otherwise_unreadable() {
        let data = format!(r#"{{"product_id":"{PRODUCT}","version":7,"variants":"none"}}"#);
        for data in [data.as_str(), r#"{"version":7}"#] {
            let failed =
                product_failed(&envelope(data), "undecodable", chrono::DateTime::default());
            let failed = failed.unwrap();
            assert_eq!(
                (failed.failed.product_id.to_string(), failed.failed.version.get()),
                (PRODUCT.to_owned(), 7)
            );
            assert_eq!(failed.reason, "product.changed.v1 became a dead letter: undecodable.");
        }
        for data in ["[]", "7", r#"{"version":0}"#] {
            assert!(
                product_failed(&envelope(data), "undecodable", chrono::DateTime::default())
                    .is_none()
            );
        }
    }
}
