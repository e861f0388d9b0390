//! The embedded search index. It does not depend on databases, brokers or HTTP.
//!
//! [`Index::open`] returns the reading side, which is cheap to clone and usable from many threads.
//! [`Index::writer`] returns the only writer. A search that starts after [`Writer::apply`] returned sees the
//! changes. These calls block: they read memory-mapped files, and `apply` waits for the disk.
//!
//! A process keeps its index in a folder with one subfolder per version. A rebuild writes a new version next
//! to the one in use and then replaces it.

mod bare;
mod document;
mod open;
mod query;
mod schema;
mod writer;

mod collector;
mod cursor;
mod dictionary;
mod explain;
mod facets;
mod filter;
mod highlight;
mod intent;
mod page;
mod query_builder;
mod query_parser;
mod search;
mod segment_rules;
mod settings;
mod shown;
mod suggest;
mod synonym_counts;

mod folder;
mod live;
mod live_settings;
mod version;

pub use document::{Attribute, Document, Localized, Price, VariantOption};
pub use folder::FolderError;
pub(crate) use folder::IndexFolder;
pub(crate) use live::{IndexProgress, LiveIndex};
pub(crate) use live_settings::LiveSettings;
pub use open::{Index, OpenError};
pub use query::{
    AppliedRule, AttributeFilter, Explanation, Facet, FacetCount, Hit, LIMIT_MAX, Match,
    MatchLevel, MatchedBy, NumberRange, Query, Results, SearchError, Sort, UnknownFacet,
    UnknownSort, WordMatch,
};
pub use settings::SearchSettings;
pub use suggest::{SUGGESTIONS_MAX, Suggestion, SuggestionKind};
pub use synonym_counts::{CountedSynonym, SynonymCounts, WordCount};
pub(crate) use version::{IndexVersion, VersionError};
pub use writer::{Change, WriteError, Writer};
