//! Queries as free functions over a connection, one file per table.

pub(crate) mod baskets;
pub(crate) mod erasures;
pub(crate) mod event_rules;
pub(crate) mod popularity;
pub(crate) mod products;
pub(crate) mod reports;
pub(crate) mod user_events;
pub(crate) mod write_locks;
