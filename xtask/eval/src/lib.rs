//! The quality of search, measured on labelled queries: `cargo xtask eval`.
//!
//! `search` grades the hits of any pair of files, products and judgements. `headwords` grades the project's own
//! queries (`data/judgements/queries.csv`) on the sample catalogue.

pub mod error;
pub mod headwords;
pub mod judged;
pub mod labels;
pub mod products;
pub mod score;
pub mod synonyms;
pub mod typos;
