//! HTTP clients of other services, one file each.

pub(crate) mod product_catalog;
