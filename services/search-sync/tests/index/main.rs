//! The public API of the index, tested with a small catalogue of Chinese and English products.
#![expect(clippy::unwrap_used, reason = "a failing helper fails its test")]

mod model;
mod paging;
mod products;
mod random_changes;

mod attribute_facets;
mod brands;
mod categories;
mod explain;
mod filters;
mod folding;
mod numbers;
mod prices;
mod rules;
mod search;
mod suggestions;
mod synonyms;
mod variants;
mod words;
mod writer;
