//! Published events, one file each: conversions from the domain to the contract.

mod product_changed;
mod product_deleted;

pub(crate) use self::{product_changed::product_changed, product_deleted::product_deleted};
