//! Why a run failed.

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Suite(#[from] suite::Error),

    #[error(transparent)]
    SystemTests(#[from] system_tests::Error),

    #[error(transparent)]
    Server(#[from] testkit::Error),

    #[error(transparent)]
    Wait(#[from] testkit::WaitError),

    #[error(transparent)]
    Database(#[from] sqlx::Error),

    #[error("chaos needs private servers")]
    SharedServers,

    #[error("the webhook secret is no valid key")]
    WebhookSecret,

    #[error("the run failed:\n{0}")]
    Failed(String),
}
