//! Queries, grouped by table: free functions over a connection, in whatever transaction it is.

pub mod ledger;
pub mod products;
pub mod reservations;
pub mod stock;
pub mod warehouses;
