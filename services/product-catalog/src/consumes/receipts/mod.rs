//! Receipts: what has become of a product's version in the service that says it.

mod product_applied;
mod product_failed;

pub(crate) use product_applied::NoteApplied;
pub(crate) use product_failed::NoteFailed;
