//! Why a bench failed.

/// Why a bench failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Suite(#[from] suite::Error),

    #[error(transparent)]
    Server(#[from] testkit::Error),

    #[error(transparent)]
    Wait(#[from] testkit::WaitError),

    #[error(transparent)]
    MessagingRuntime(#[from] messaging::Error),

    #[error(transparent)]
    Broker(#[from] lapin::Error),

    #[error(transparent)]
    Database(#[from] sqlx::Error),

    #[error(transparent)]
    Eval(#[from] eval::error::Error),

    #[error("a search failed: {0}")]
    Search(#[from] search_sync::index::SearchError),

    #[error("the index cannot be opened: {0}")]
    Open(#[from] search_sync::index::OpenError),

    #[error("the index cannot be written: {0}")]
    Write(#[from] search_sync::index::WriteError),

    #[error(transparent)]
    Tantivy(#[from] tantivy::TantivyError),

    #[error(transparent)]
    Key(#[from] runtime::auth::KeyError),

    #[error(transparent)]
    MessageKey(#[from] messaging::SignatureKeyError),

    #[error(transparent)]
    Token(#[from] runtime::auth::TokenError),

    /// A bench waited in vain.
    #[error("timeout; expected: {0}")]
    Timeout(&'static str),

    #[error("needs {needed} bytes of free disk; there are {free}")]
    Disk { needed: u64, free: u64 },

    /// The effects of a bench are not those of its events.
    #[error("lost or reordered: {0}")]
    Inconsistent(String),
}
