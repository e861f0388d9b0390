//! Why a chore failed.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use runtime::auth::{KeyError, TokenError};
use testkit::WaitError;

/// Why a chore failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A server of ours, or a process, is not as it should be.
    #[error(transparent)]
    Server(#[from] testkit::Error),

    /// A state did not come in time.
    #[error(transparent)]
    Wait(#[from] WaitError),

    /// A file or folder cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The path in question.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },

    /// A file does not hold what it should.
    #[error("{} cannot be understood", path.display())]
    Content {
        /// The path in question.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },

    /// A command cannot be started.
    #[error("cannot run `{command}`")]
    Start {
        /// The command line.
        command: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },

    /// A command ran and failed.
    #[error("`{command}` failed ({status})")]
    Command {
        /// The command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },

    /// A signal cannot be waited for.
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),

    /// A service does not answer.
    #[error("no answer from {url}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },

    /// A service answers with an error, or not what its contract says.
    #[error("{url} answered {status}: {body}")]
    Refused {
        /// What was asked.
        url: String,
        /// The status code.
        status: u16,
        /// What it said.
        body: String,
    },

    /// The key that signs tokens cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),

    /// A token cannot be minted.
    #[error(transparent)]
    Token(#[from] TokenError),

    /// The supervisor ended before the suite was up.
    #[error("the suite did not start; its logs are in {}", logs.display())]
    Supervisor {
        /// Where the logs are.
        logs: PathBuf,
    },

    /// Something that must always hold does not.
    #[error("the suite is not sound:\n{0}")]
    Unsound(String),

    /// The databases of the suite cannot be looked into.
    #[error(transparent)]
    Audit(#[from] system_tests::Error),

    /// The sample catalogue could not be loaded.
    #[error("the sample catalogue could not be loaded")]
    Seed(#[from] console::seed::SeedError),

    /// A bench waited in vain.
    #[error("waited in vain until {0}")]
    Late(&'static str),

    /// The messaging kit failed in a bench of it.
    #[error(transparent)]
    Messaging(#[from] messaging::Error),

    /// The broker refused a bench something.
    #[error(transparent)]
    Broker(#[from] lapin::Error),

    /// The database refused a bench something.
    #[error(transparent)]
    Database(#[from] sqlx::Error),

    /// There is no running suite.
    #[error("the suite is not running; `cargo xtask up` starts it")]
    NotRunning,

    /// A variable of the environment has a value that cannot be used.
    #[error("{variable}: `{value}` is not {expected}")]
    Variable {
        /// Its name.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },

    /// Programs are missing and we may not or cannot install them.
    #[error("{missing} is missing; {advice}")]
    Missing {
        /// What is missing.
        missing: String,
        /// What to do.
        advice: &'static str,
    },

    /// Generated files are not what they should be.
    #[error("not up to date: {files}; run `cargo xtask sqlx-prepare`")]
    Stale {
        /// Which.
        files: String,
    },

    /// An import did not run to its end.
    #[error("the import failed: {reason}")]
    Import {
        /// Why.
        reason: String,
    },

    /// The user wants us to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// For `map_err` on what the file system says.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// For `map_err` on what the HTTP client says.
    pub(crate) fn unreachable(url: &str) -> impl FnOnce(reqwest::Error) -> Self {
        let url = url.to_owned();
        move |source| Self::Unreachable { url, source }
    }
}
