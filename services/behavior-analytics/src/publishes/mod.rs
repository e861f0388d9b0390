//! The events that this service publishes, one file each: from domain values to contracts.
//!
//! `runtime::product_receipts` builds the receipts of products.

pub(crate) mod erasure_completed;
pub(crate) mod popularity_changed;
pub(crate) mod user_event;
