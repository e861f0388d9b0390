//! What is kept: free functions over a connection, for many orders at a time.

pub(crate) mod offers;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod shipments;
pub(crate) mod shown;
pub(crate) mod timeline;
pub(crate) mod webhooks;

use vocabulary::Money;

/// An error for a row that cannot be what it says: written by something that is not this service.
fn undecodable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// A column that must not be null beside those that are not.
#[derive(Debug, thiserror::Error)]
#[error("{0} is missing")]
struct Missing(&'static str);

/// An amount and its currency, out of two columns.
fn money(amount: i64, currency: &str) -> Result<Money, sqlx::Error> {
    let currency = currency.parse().map_err(undecodable)?;
    Money::new(amount, currency).map_err(undecodable)
}

/// The same, where both may be null.
fn optional_money(
    amount: Option<i64>,
    currency: Option<&str>,
) -> Result<Option<Money>, sqlx::Error> {
    amount.zip(currency).map(|(amount, currency)| money(amount, currency)).transpose()
}
