//! The embedded index: documents in, hits out. Nothing here knows of databases, brokers or HTTP.
//!
//! [`Index::open`] gives the reading side, which is cheap to clone and may be used from many threads; [`Index::writer`]
//! the one writing side. What [`Writer::apply`] was given is found by every search that begins after it returned.
//! All calls block: they read memory-mapped files, and `apply` waits for the disk.

mod cursor;
mod document;
mod expand;
mod facets;
mod filter;
mod highlight;
mod interpret;
mod matching;
mod open;
mod query;
mod scan;
mod schema;
mod search;
mod suggest;
mod writer;

pub use document::{Attribute, Document, Localized, Price};
pub use open::{Index, OpenError};
pub use query::{
    Facet, FacetCount, Hit, LIMIT_MAX, Query, Results, SearchError, Sort, UnknownFacet, UnknownSort,
};
pub use suggest::{SUGGESTIONS_MAX, Suggestion, SuggestionKind};
pub use writer::{Change, WriteError, Writer};
