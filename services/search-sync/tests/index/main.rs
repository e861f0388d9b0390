//! The public API of the index, tested with a small catalogue of Chinese and English products.
#![expect(clippy::unwrap_used, reason = "a failing helper fails its test")]

mod products;

mod filters;
mod search;
mod suggestions;
mod writer;
