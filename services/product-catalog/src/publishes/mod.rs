//! Published events, one file each: conversions from the domain to the contract.

mod product_changed;
mod product_deleted;
mod stock_counted;

pub(crate) use self::{
    product_changed::product_changed, product_deleted::product_deleted,
    stock_counted::stock_counted,
};
