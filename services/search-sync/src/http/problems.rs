//! The problems that answer failed use cases.

use std::time::Duration;

use problem::{FieldError, Problem};

use crate::{
    app::{
        consistency::ConsistencyError, search_pool::SearchPoolError,
        search_products::SearchProductsError,
    },
    index::SearchError,
};

fn index_building() -> Problem {
    Problem::unavailable("index_building", Duration::from_secs(1))
        .detail("The index is being built.")
}

impl From<SearchPoolError> for Problem {
    fn from(error: SearchPoolError) -> Self {
        match error {
            SearchPoolError::NoIndex => index_building(),
            SearchPoolError::Busy => Self::unavailable("search_busy", Duration::from_secs(1))
                .detail("Too many searches are running."),
            SearchPoolError::Search(error @ SearchError::InvalidCursor) => {
                Self::validation(vec![FieldError::new("cursor", "invalid", error.to_string())])
            }
            SearchPoolError::Search(SearchError::Decode(_) | SearchError::Index(_))
            | SearchPoolError::Thread(_)
            | SearchPoolError::Closed(_) => Self::internal_from(&error),
        }
    }
}

impl From<SearchProductsError> for Problem {
    fn from(error: SearchProductsError) -> Self {
        match error {
            SearchProductsError::Search(error) => error.into(),
            SearchProductsError::Database(error) => error.into(),
        }
    }
}

impl From<ConsistencyError> for Problem {
    fn from(error: ConsistencyError) -> Self {
        match &error {
            ConsistencyError::Busy(_) => {
                Self::conflict("upkeep_running", "The index is being compared or repaired already")
            }
            ConsistencyError::NoIndex => index_building(),
            ConsistencyError::Catalogue(source) => {
                tracing::warn!(error = problem::chain(source), "failed to read the catalogue");
                Self::unavailable("catalogue_unavailable", Duration::from_secs(5))
                    .detail(source.to_string())
            }
            ConsistencyError::Decode(_)
            | ConsistencyError::Index(_)
            | ConsistencyError::Database(_)
            | ConsistencyError::Write(_)
            | ConsistencyError::Commit(_)
            | ConsistencyError::Thread(_) => Self::internal_from(&error),
        }
    }
}
