//! `product.failed.v1`.

use chrono::{DateTime, Utc};
use contracts::{
    Envelope,
    receipts::{ProductFailedV1, ProductVersion},
};

use super::product_applied::lane;
use crate::SERVICE;

/// The change in `envelope` became a dead letter for `reason`. Where not even product and version can be read, nobody
/// could be told of what has failed.
pub(crate) fn product_failed(
    envelope: &Envelope,
    reason: &str,
    at: DateTime<Utc>,
) -> Option<ProductFailedV1> {
    let failed: ProductVersion = envelope.data().ok()?;
    Some(ProductFailedV1 {
        service: SERVICE.name.to_owned(),
        lane: lane(failed.product_id),
        failed,
        reason: format!("The price copy could not be changed: {reason}."),
        failed_at: at,
    })
}
