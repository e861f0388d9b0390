//! Receipts: said by every service that follows products, each on its own exchange, heard by `product-catalog`.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{ProductId, Version};

use crate::event::event;

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

/// These versions have taken effect here; so have all before them, so a receipt settles every change up to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductAppliedV1 {
    /// The service that says so, by its directory name.
    pub service: String,
    /// Which of its lanes said so: receipts of one lane keep their order.
    pub lane: String,
    /// What has taken effect.
    pub applied: Vec<ProductVersion>,
    /// When.
    pub applied_at: DateTime<Utc>,
}

event!(ProductAppliedV1, "product.applied.v1", RECEIPT, event => event.lane.as_str());

/// This version will not take effect here until somebody looks at the dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductFailedV1 {
    /// The service that says so, by its directory name.
    pub service: String,
    /// Which of its lanes said so.
    pub lane: String,
    /// Which version of which product.
    pub failed: ProductVersion,
    /// Why, in one sentence.
    pub reason: String,
    /// When.
    pub failed_at: DateTime<Utc>,
}

event!(ProductFailedV1, "product.failed.v1", RECEIPT, event => event.lane.as_str());
