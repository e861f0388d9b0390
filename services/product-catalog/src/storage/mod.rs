//! Statements, grouped by table: free functions over a connection, in sets where a batch comes in.
//!
//! Rows are locked in one order: products by id, then SKUs.

pub(crate) mod changes;
pub(crate) mod imports;
pub(crate) mod products;
pub(crate) mod receipts;
