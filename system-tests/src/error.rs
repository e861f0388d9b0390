//! Errors around a system test.

use std::path::PathBuf;

/// An error around a system test.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server or process failed.
    #[error(transparent)]
    Testkit(#[from] testkit::Error),
    #[error(transparent)]
    Wait(#[from] testkit::WaitError),
    #[error("database query failed")]
    Database(#[from] sqlx::Error),
    #[error("cannot make a signing key")]
    Key(#[from] runtime::auth::KeyError),
    #[error("cannot mint a token")]
    Token(#[from] runtime::auth::TokenError),
    #[error("HTTP request failed")]
    Http(#[from] reqwest::Error),
    #[error("the audit failed")]
    Audit(#[from] audit::Error),
    #[error("cannot write a file of the run")]
    File(#[from] std::io::Error),
    #[error("{0} is missing; build the programs first: cargo build --bins")]
    NotBuilt(PathBuf),
    /// An unexpected answer or state.
    #[error("{0}")]
    Unexpected(String),
}
