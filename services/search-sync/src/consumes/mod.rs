//! The events that this service handles: one folder per publisher, one file per event.
//!
//! The handlers write the projection in PostgreSQL and wake the [indexer](crate::workers::indexer), which
//! copies the changes to the index. Synonyms and rules are no part of the index: the
//! [settings loader](crate::workers::settings_loader) reads them.

use messaging::Failure;

use crate::storage::documents::WriteDocumentsError;

pub(crate) mod product_catalog {
    pub(crate) mod product_changed;
    pub(crate) mod product_deleted;
    pub(crate) mod search_rule_changed;
    pub(crate) mod search_rule_removed;
    pub(crate) mod search_synonyms_changed;
}

pub(crate) mod inventory {
    pub(crate) mod stock_changed;
}

pub(crate) mod behavior_analytics {
    pub(crate) mod popularity_changed;
}

/// A product that cannot be encoded will never be; everything else is retried.
impl From<WriteDocumentsError> for Failure {
    fn from(error: WriteDocumentsError) -> Self {
        match error {
            WriteDocumentsError::Encode(error) => Self::reject("unencodable", error),
            WriteDocumentsError::Database(error) => error.into(),
        }
    }
}
