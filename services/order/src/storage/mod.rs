//! Queries: free functions over a connection, most of them for many orders at once.

mod cost_json;
pub(crate) mod cost_rules;
pub(crate) mod customer_erasures;
mod json_columns;
pub(crate) mod line_cancellations;
pub(crate) mod lost_orders;
pub(crate) mod offers;
pub(crate) mod order_lists;
pub(crate) mod order_money;
pub(crate) mod order_refunds;
pub(crate) mod order_views;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod priority_customers;
pub(crate) mod promotion_uses;
pub(crate) mod provider_requests;
pub(crate) mod returns;
pub(crate) mod shipments;
pub(crate) mod timeline;
pub(crate) mod unpaid_orders;
pub(crate) mod webhook_deliveries;
pub(crate) mod webhook_endpoints;
pub(crate) mod webhook_log;
pub(crate) mod webhooks;

use std::error::Error;

use vocabulary::Money;

/// An error for a row that this service did not write, or wrote in an invalid form.
fn undecodable(error: impl Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// The status of a row requires a value in this column.
#[derive(Debug, thiserror::Error)]
#[error("column {0} is null")]
struct MissingColumn(&'static str);

fn money(amount: i64, currency: &str) -> Result<Money, sqlx::Error> {
    let currency = currency.parse().map_err(undecodable)?;
    Money::new(amount, currency).map_err(undecodable)
}

fn optional_money(
    amount: Option<i64>,
    currency: Option<&str>,
) -> Result<Option<Money>, sqlx::Error> {
    amount.zip(currency).map(|(amount, currency)| money(amount, currency)).transpose()
}
