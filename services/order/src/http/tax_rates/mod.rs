//! Tax rates.

pub(super) mod create_tax_rate;
pub(super) mod delete_tax_rate;
pub(super) mod get_tax_rate;
pub(super) mod list_tax_rates;
pub(super) mod replace_tax_rate;
mod tax_rate_body;
mod tax_rate_draft;
