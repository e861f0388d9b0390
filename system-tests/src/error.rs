//! Why the suite could not be started, asked or looked into.

use std::path::PathBuf;

/// What went wrong around a system test.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server or process could not be started, stopped or waited for.
    #[error(transparent)]
    Testkit(#[from] testkit::Error),
    /// A state did not come.
    #[error(transparent)]
    Wait(#[from] testkit::WaitError),
    /// A database could not be asked.
    #[error("a database could not be asked")]
    Database(#[from] sqlx::Error),
    /// A key could not be made.
    #[error("no key could be made")]
    Key(#[from] runtime::auth::KeyError),
    /// A token could not be minted.
    #[error("no token could be minted")]
    Token(#[from] runtime::auth::TokenError),
    /// A service could not be asked.
    #[error("a service could not be asked")]
    Http(#[from] reqwest::Error),
    /// The broker could not be asked.
    #[error("the broker could not be asked")]
    Broker(#[from] lapin::Error),
    /// A file or folder of the run.
    #[error("a file of the run could not be written")]
    File(#[from] std::io::Error),
    /// The programs were not built.
    #[error("there is no {0}; build the programs first: cargo build --bins")]
    NotBuilt(PathBuf),
    /// A service answered something else than it should.
    #[error("{0}")]
    Unexpected(String),
}
