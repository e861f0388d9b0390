//! Queries on the service's own tables, as free functions over a connection.
//!
//! Locks are taken in this order: rows of `sku_stock` or `product_popularity` sorted by key, then the row of
//! [`changes`], then documents. `changes` comes before all documents, because one transaction may run several
//! handlers: the second would otherwise ask for documents while it holds the counter. This order also makes a
//! product and the stock of its SKUs, received at the same time by two consumers, see each other. The row of the
//! settings' revision is locked by transactions that lock nothing else.

pub mod changes;
pub mod documents;
pub(crate) mod popularity;
pub mod receipts;
pub(crate) mod settings;
pub mod stock;

/// Reports a stored value that the domain does not accept.
fn undecodable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
