//! What is decided here, as functions of data: no I/O, no async.

mod popularity;
mod product;
mod stock;

pub use popularity::matters;
pub use product::{Content, Listing, State, Variant, newest};
pub use stock::{Decision, Level, decide};
