//! Receipts: said by every service that follows products, each on its own exchange, heard by `product-catalog`.

use chrono::{DateTime, Utc};
use envelope::{Envelope, event};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{ProductId, Version};

/// The aggregate of receipts.
pub const RECEIPT: &str = "receipt";

/// A product in a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductVersion {
    /// Which product.
    pub product_id: ProductId,
    /// In which version.
    pub version: Version,
}

/// As much of an event of a product as a receipt needs.
#[derive(Deserialize)]
struct Versioned {
    product_id: Option<ProductId>,
    version: Version,
}

impl ProductVersion {
    /// The product and version that an event tells of, read from it though the rest of it may be whatever made it a dead
    /// letter; `None` if not even these can be read.
    pub fn of_unreadable(envelope: &Envelope) -> Option<Self> {
        let Versioned { product_id, version } = envelope.data().ok()?;
        let product_id = product_id.or_else(|| envelope.subject.parse().ok())?;
        Some(Self { product_id, version })
    }
}

/// These versions have taken effect here; so have all before them, so a receipt settles every change up to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductAppliedV1 {
    /// The service that says so, by its directory name.
    pub service: String,
    /// The key of the receipt: receipts of one key keep their order.
    #[serde(rename = "lane")]
    pub receipt_key: String,
    /// What has taken effect.
    pub applied: Vec<ProductVersion>,
    /// When.
    pub applied_at: DateTime<Utc>,
}

event!(ProductAppliedV1, "product.applied.v1", RECEIPT, event => event.receipt_key.as_str());

/// This version will not take effect here until somebody looks at the dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductFailedV1 {
    /// The service that says so, by its directory name.
    pub service: String,
    /// The key of the receipt.
    #[serde(rename = "lane")]
    pub receipt_key: String,
    /// Which version of which product.
    pub failed: ProductVersion,
    /// Why, in one sentence.
    pub reason: String,
    /// When.
    pub failed_at: DateTime<Utc>,
}

event!(ProductFailedV1, "product.failed.v1", RECEIPT, event => event.receipt_key.as_str());

#[cfg(test)]
mod tests {
    use super::ProductVersion;
    use envelope::Envelope;

    const PRODUCT: &str = "01920000-0000-7000-8000-000000000001";

    fn envelope(subject: &str, data: &str) -> Envelope {
        serde_json::from_str(&format!(
            r#"{{"specversion":"1.0","id":"{PRODUCT}","source":"product-catalog","type":"product.changed.v1","subject":"{subject}","time":"2026-11-22T08:00:00Z","sequence":"0000000000000000001","aggregate":"product","data":{data}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn product_and_version_are_read_from_what_is_otherwise_unreadable() {
        let whole = format!(r#"{{"product_id":"{PRODUCT}","version":7,"variants":"none"}}"#);
        for data in [whole.as_str(), r#"{"version":7}"#] {
            let read = ProductVersion::of_unreadable(&envelope(PRODUCT, data)).unwrap();
            assert_eq!((read.product_id.to_string().as_str(), read.version.get()), (PRODUCT, 7));
        }
        for data in ["[]", "7", r#"{"version":0}"#] {
            assert_eq!(ProductVersion::of_unreadable(&envelope(PRODUCT, data)), None, "{data}");
        }
        assert_eq!(ProductVersion::of_unreadable(&envelope("keyboard", r#"{"version":7}"#)), None);
    }
}
