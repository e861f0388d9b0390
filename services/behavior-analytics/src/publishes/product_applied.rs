//! `product.applied.v1`: the receipt for a batch of products.

use chrono::{DateTime, Utc};
use contracts::receipts::{ProductAppliedV1, ProductVersion};
use vocabulary::{ProductId, Version};

use super::lane_of;
use crate::NAME;

/// These versions have taken effect here; `None` if there are none. They come from one batch, so they share a lane.
pub fn product_applied(
    versions: impl IntoIterator<Item = (ProductId, Version)>,
    applied_at: DateTime<Utc>,
) -> Option<ProductAppliedV1> {
    let of = |(product_id, version)| ProductVersion { product_id, version };
    let applied: Vec<ProductVersion> = versions.into_iter().map(of).collect();
    let lane = lane_of(applied.first()?.product_id);
    Some(ProductAppliedV1 { service: NAME.to_owned(), receipt_key: lane, applied, applied_at })
}
