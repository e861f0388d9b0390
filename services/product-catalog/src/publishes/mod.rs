//! What this service says, one file per event.

mod product_changed;
mod product_deleted;

pub(crate) use product_changed::product_changed;
pub(crate) use product_deleted::product_deleted;
