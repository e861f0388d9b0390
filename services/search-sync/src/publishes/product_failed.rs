//! `product.failed.v1`: the receipt for an event of a product that became a dead letter.

use chrono::{DateTime, Utc};
use contracts::{
    Envelope,
    receipts::{ProductFailedV1, ProductVersion},
};
use serde::Deserialize;
use vocabulary::{ProductId, Version};

use super::LANE_OF_FAILURES;
use crate::NAME;

/// As much of an event as a receipt needs: the rest may be whatever made it a dead letter.
#[derive(Deserialize)]
struct Versioned {
    version: Version,
}

/// The receipt for the event in `envelope`; `None` if not even its product and version can be read.
pub fn product_failed(
    envelope: &Envelope,
    reason: &str,
    failed_at: DateTime<Utc>,
) -> Option<ProductFailedV1> {
    let product_id: ProductId = envelope.subject.parse().ok()?;
    let Versioned { version } = envelope.data().ok()?;
    Some(ProductFailedV1 {
        service: NAME.to_owned(),
        lane: LANE_OF_FAILURES.to_owned(),
        failed: ProductVersion { product_id, version },
        reason: format!("{} is not in the search index: {reason}.", envelope.kind),
        failed_at,
    })
}

#[cfg(test)]
mod tests {
    use contracts::Envelope;

    use super::product_failed;

    const PRODUCT: &str = "01920000-0000-7000-8000-000000000001";

    fn envelope(subject: &str, data: &str) -> Envelope {
        serde_json::from_str(&format!(
            r#"{{"specversion":"1.0","id":"{PRODUCT}","source":"product-catalog","type":"product.changed.v1","subject":"{subject}","time":"2026-11-22T08:00:00Z","sequence":"0000000000000000001","aggregate":"product","data":{data}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn the_version_is_read_from_what_is_otherwise_unreadable() {
        let at = chrono::DateTime::default();
        let data = r#"{"version":7,"variants":"none"}"#;
        let failed = product_failed(&envelope(PRODUCT, data), "undecodable", at).unwrap();
        assert_eq!(
            (failed.failed.product_id.to_string().as_str(), failed.failed.version.get()),
            (PRODUCT, 7)
        );
        for (subject, data) in [(PRODUCT, "[]"), (PRODUCT, r#"{"version":0}"#), ("keyboard", data)]
        {
            assert_eq!(product_failed(&envelope(subject, data), "undecodable", at), None);
        }
    }
}
