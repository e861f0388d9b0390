//! Consumed events: a folder per publisher, a file per event.

pub(crate) mod order;
pub(crate) mod product_catalog;
