//! Events of product-catalog about products.

pub(crate) mod product_changed;
pub(crate) mod product_deleted;
