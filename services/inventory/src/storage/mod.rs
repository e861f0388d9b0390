//! SQL queries, grouped by table: free functions over a connection.

pub(crate) mod ledger;
pub(crate) mod pending_counts;
pub(crate) mod products;
pub(crate) mod reservations;
pub(crate) mod returns;
pub(crate) mod stock;
pub(crate) mod warehouses;

/// An error for a stored value that violates the domain's rules.
fn undecodable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
