//! Reads and writes of the service's own tables, as free functions over a connection.
//!
//! The order of locks: rows of `sku_stock` or `product_popularity` sorted by their keys, then the row of
//! [`changes`], then documents. The lock of `changes` comes before all documents, not after them: one transaction may
//! hold several runs of a handler, so a second run would ask for documents while it holds the counter. It also makes sure
//! that a product and the stock of its SKUs, heard at the same time by two consumers, see one another.

pub mod changes;
pub mod documents;
pub mod popularity;
pub mod receipts;
pub mod stock;
