//! Receipts: what became of a product's version in a downstream service.

mod product_applied;
mod product_failed;

pub(crate) use self::{product_applied::RecordApplied, product_failed::RecordFailed};
