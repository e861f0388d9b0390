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

    /// A bench waited in vain.
    #[error("timeout; expected: {0}")]
    Timeout(&'static str),

    /// The effects of a bench are not those of its events.
    #[error("lost or reordered: {0}")]
    Inconsistent(String),
}
