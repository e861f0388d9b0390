//! What is heard, by who says it: one file per event.

pub(crate) mod inventory;
pub(crate) mod product_catalog;
