//! `product.failed.v1`: the receipt for an event of a product that became a dead letter.

use chrono::{DateTime, Utc};
use contracts::{
    Envelope,
    receipts::{ProductFailedV1, ProductVersion},
};

use super::LANE_OF_FAILURES;
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
        receipt_key: LANE_OF_FAILURES.to_owned(),
        failed,
        reason: format!("{} is not in the search index: {reason}.", envelope.kind),
        failed_at,
    })
}
