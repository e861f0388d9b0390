//! `product.applied.v1`.

use chrono::{DateTime, Utc};
use contracts::{
    Slot,
    receipts::{ProductAppliedV1, ProductVersion},
};
use messaging::SLOT_GROUPS;
use vocabulary::ProductId;

use crate::SERVICE;

/// The copy of the catalogue holds these versions, or later ones. All of them came in one batch, so in one lane; of an
/// empty batch nothing is to be said.
pub(crate) fn product_applied(
    applied: Vec<ProductVersion>,
    at: DateTime<Utc>,
) -> Option<ProductAppliedV1> {
    let lane = lane(applied.first()?.product_id);
    Some(ProductAppliedV1 {
        service: SERVICE.name.to_owned(),
        receipt_key: lane,
        applied,
        applied_at: at,
    })
}

/// The lane that a product's events come in: receipts of one lane keep their order, and lanes do not wait for each other.
pub(super) fn lane(product: ProductId) -> String {
    let group = Slot::of(&product.to_string()).number() % SLOT_GROUPS;
    format!("{}.product.{group}", SERVICE.name)
}
