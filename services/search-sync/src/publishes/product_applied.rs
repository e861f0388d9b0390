//! `product.applied.v1`: searches see these product versions.

use chrono::{DateTime, Utc};
use contracts::receipts::ProductAppliedV1;
use runtime::product_receipts;
use vocabulary::{ProductId, Version};

use super::ReceiptKey;
use crate::names::SERVICE;

/// The receipt for `versions`; `None` if there are none.
pub(crate) fn product_applied(
    versions: impl IntoIterator<Item = (ProductId, Version)>,
    key: &ReceiptKey,
    applied_at: DateTime<Utc>,
) -> Option<ProductAppliedV1> {
    product_receipts::product_applied(&SERVICE, key.0.clone(), versions, applied_at)
}
