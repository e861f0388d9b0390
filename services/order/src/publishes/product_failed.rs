//! `product.failed.v1`: the receipt for an event of a product that became a dead letter.

use chrono::{DateTime, Utc};
use contracts::{
    Envelope,
    receipts::{ProductFailedV1, ProductVersion},
};

use super::product_applied::lane;
use crate::SERVICE;

/// The receipt for the event in `envelope`; `None` if not even its product and version can be read.
pub(crate) fn product_failed(
    envelope: &Envelope,
    reason: &str,
    failed_at: DateTime<Utc>,
) -> Option<ProductFailedV1> {
    let failed = ProductVersion::of_unreadable(envelope)?;
    Some(ProductFailedV1 {
        service: SERVICE.name.to_owned(),
        receipt_key: lane(failed.product_id),
        failed,
        reason: format!("The price copy could not be changed: {reason}."),
        failed_at,
    })
}
