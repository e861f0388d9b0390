//! Why synonyms or rules were not written.

/// Why synonyms or rules were not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchSettingsError {
    #[error("the shop has the maximum number of rules")]
    TooManyRules,
    #[error("the search settings could not be stored")]
    Database(#[from] sqlx::Error),
    #[error("the event could not be emitted")]
    Messaging(#[from] messaging::Error),
}
