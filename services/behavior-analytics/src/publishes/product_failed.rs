//! `product.failed.v1`: the receipt for an event of a product that became a dead letter.

use chrono::{DateTime, Utc};
use contracts::{
    Envelope,
    receipts::{ProductFailedV1, ProductVersion},
};

use super::lane_of;
use crate::NAME;

/// The receipt for the event in `envelope`; `None` if not even its product and version can be read.
pub fn product_failed(
    envelope: &Envelope,
    reason: &str,
    failed_at: DateTime<Utc>,
) -> Option<ProductFailedV1> {
    let failed = ProductVersion::of_unreadable(envelope)?;
    Some(ProductFailedV1 {
        service: NAME.to_owned(),
        receipt_key: lane_of(failed.product_id),
        failed,
        reason: format!("{} became a dead letter: {reason}.", envelope.kind),
        failed_at,
    })
}

#[cfg(test)]
mod tests {
    use super::product_failed;

    const PRODUCT: &str = "01920000-0000-7000-8000-000000000001";

    #[test]
    fn the_receipt_names_the_version_and_the_reason() {
        let envelope = serde_json::from_str(&format!(
            r#"{{"specversion":"1.0","id":"{PRODUCT}","source":"product-catalog","type":"product.changed.v1","subject":"{PRODUCT}","time":"2026-11-22T08:00:00Z","sequence":"0000000000000000001","aggregate":"product","data":{{"version":7,"variants":"none"}}}}"#
        ));
        let receipt =
            product_failed(&envelope.unwrap(), "undecodable", chrono::DateTime::default()).unwrap();
        let failed = receipt.failed;
        assert_eq!((failed.product_id.to_string().as_str(), failed.version.get()), (PRODUCT, 7));
        assert_eq!(receipt.reason, "product.changed.v1 became a dead letter: undecodable.");
    }
}
