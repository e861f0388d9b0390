//! Receipts: each service that projects products publishes them on its own exchange; `product-catalog` consumes them.

use chrono::{DateTime, Utc};
use envelope::{Envelope, event};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{ProductId, Version};

/// The aggregate of receipts; the key is the receipt key.
pub const RECEIPT: &str = "receipt";

/// A version of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductVersion {
    pub product_id: ProductId,
    pub version: Version,
}

/// The part of a product event that a receipt needs.
#[derive(Deserialize)]
struct Versioned {
    product_id: Option<ProductId>,
    version: Version,
}

impl ProductVersion {
    /// Reads product and version from an event of which the rest may be malformed; `None` if these two are malformed.
    pub fn of_malformed(envelope: &Envelope) -> Option<Self> {
        let Versioned { product_id, version } = envelope.data().ok()?;
        let product_id = product_id.or_else(|| envelope.subject.parse().ok())?;
        Some(Self { product_id, version })
    }
}

/// The service has applied these product versions, and all earlier versions of the same products.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductAppliedV1 {
    /// The directory name of the service.
    pub service: String,
    /// Receipts of one key keep their order.
    #[serde(rename = "lane")]
    pub receipt_key: String,
    pub applied: Vec<ProductVersion>,
    pub applied_at: DateTime<Utc>,
}

event!(ProductAppliedV1, "product.applied.v1", RECEIPT, event => event.receipt_key.as_str());

/// The service could not apply this product version; an operator must resolve the dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductFailedV1 {
    /// The directory name of the service.
    pub service: String,
    /// Receipts of one key keep their order.
    #[serde(rename = "lane")]
    pub receipt_key: String,
    pub failed: ProductVersion,
    /// One sentence.
    pub reason: String,
    pub failed_at: DateTime<Utc>,
}

event!(ProductFailedV1, "product.failed.v1", RECEIPT, event => event.receipt_key.as_str());

#[cfg(test)]
mod tests {
    use envelope::Envelope;

    use super::ProductVersion;

    const PRODUCT: &str = "01920000-0000-7000-8000-000000000001";

    fn envelope(subject: &str, data: &str) -> Envelope {
        serde_json::from_str(&format!(
            r#"{{"specversion":"1.0","id":"{PRODUCT}","source":"product-catalog","type":"product.changed.v1","subject":"{subject}","time":"2026-11-22T08:00:00Z","sequence":"0000000000000000001","aggregate":"product","data":{data}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn product_and_version_are_read_from_malformed_events() {
        let whole = format!(r#"{{"product_id":"{PRODUCT}","version":7,"variants":"none"}}"#);
        for data in [whole.as_str(), r#"{"version":7}"#] {
            let read = ProductVersion::of_malformed(&envelope(PRODUCT, data)).unwrap();
            assert_eq!((read.product_id.to_string().as_str(), read.version.get()), (PRODUCT, 7));
        }
        for data in ["[]", "7", r#"{"version":0}"#] {
            assert_eq!(ProductVersion::of_malformed(&envelope(PRODUCT, data)), None, "{data}");
        }
        assert_eq!(ProductVersion::of_malformed(&envelope("keyboard", r#"{"version":7}"#)), None);
    }
}
