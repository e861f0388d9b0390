//! Events of stock: they update what is available.

pub(crate) mod stock_changed;
