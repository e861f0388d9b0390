//! SQL queries, grouped by table: free functions over a connection.
//!
//! Rows are locked in a fixed order: products by id, then SKUs. No transaction locks a rule or the synonyms and
//! something else.

pub(crate) mod changes;
pub(crate) mod document;
mod import_layout;
pub(crate) mod import_overlay;
mod import_preview;
pub(crate) mod imports;
pub(crate) mod products;
pub(crate) mod receipts;
pub(crate) mod rules;
pub(crate) mod synonyms;

/// An error for a stored value that violates the domain's rules.
fn undecodable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
