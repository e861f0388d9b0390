//! Published events, one file each: conversions from the domain to the contract.

mod stock_availability_changed;
mod stock_changed;
mod stock_deducted;
mod stock_low;
mod stock_rejected;
mod stock_released;
mod stock_reserved;

pub(crate) use self::{
    stock_availability_changed::stock_availability_changed, stock_changed::stock_changed,
    stock_deducted::stock_deducted, stock_low::stock_low, stock_rejected::stock_rejected,
    stock_released::stock_released, stock_reserved::stock_reserved,
};
