//! The tables, as free functions over a connection.

pub mod baskets;
pub mod erasures;
pub mod popularity;
pub mod products;
pub mod reports;
pub mod turns;
pub mod user_events;
