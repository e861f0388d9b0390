//! SQL queries, grouped by table: free functions over a connection.

pub(crate) mod actions;
pub(crate) mod sessions;
pub(crate) mod staff;
