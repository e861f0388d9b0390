//! Shipping rates.

pub(super) mod create_shipping_rate;
pub(super) mod delete_shipping_rate;
pub(super) mod get_shipping_rate;
pub(super) mod list_shipping_rates;
pub(super) mod replace_shipping_rate;
mod shipping_rate_body;
mod shipping_rate_draft;
