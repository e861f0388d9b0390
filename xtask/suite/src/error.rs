//! Why a command failed.

use std::{io, path::PathBuf, process::ExitStatus};

use runtime::auth::{KeyError, TokenError};
use testkit::WaitError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A private server or a process failed.
    #[error(transparent)]
    Server(#[from] testkit::Error),

    #[error(transparent)]
    Wait(#[from] WaitError),

    #[error("cannot use {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },

    #[error("{} has invalid content", path.display())]
    Content {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },

    #[error("cannot run `{command}`")]
    Start {
        command: String,
        #[source]
        source: io::Error,
    },

    #[error("`{command}` failed ({status})")]
    Command { command: String, status: ExitStatus },

    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),

    #[error("no answer from {url}")]
    Unreachable {
        url: String,
        #[source]
        source: reqwest::Error,
    },

    /// A service answered with an error, or not as its contract requires.
    #[error("{url} answered {status}: {body}")]
    Refused { url: String, status: u16, body: String },

    /// The key that signs tokens cannot be read or made.
    #[error(transparent)]
    Key(#[from] KeyError),

    #[error(transparent)]
    Token(#[from] TokenError),

    #[error("`{0}` is no scope")]
    Scope(String),

    /// The supervisor ended before the suite was up.
    #[error("the suite did not start; its logs are in {}", logs.display())]
    Supervisor { logs: PathBuf },

    #[error("invariants do not hold:\n{0}")]
    Violations(String),

    #[error("the audit failed")]
    Audit(#[from] audit::Error),

    #[error(transparent)]
    Management(#[from] rabbitmq_management::Error),

    #[error("the topology of the broker cannot be changed")]
    Topology(#[from] messaging::Error),

    /// The URL has a password, so it is not repeated.
    #[error(
        "AMQP_URL or --amqp-url is not an address such as amqp://user:password@host:port/vhost"
    )]
    AmqpUrl,

    #[error("SLOT_GROUPS cannot be read")]
    SlotGroups(#[from] messaging::InvalidSlotGroups),

    #[error("SLOT_GROUPS names aggregates to which no service subscribes: {0}")]
    UnknownAggregates(String),

    #[error("no unused queue or exchange of the services, so nothing was removed: {0}")]
    NotUnused(String),

    #[error("cannot load the sample catalogue")]
    Seed(#[from] console::seed::SeedError),

    #[error("the suite is not running; `cargo xtask up` starts it")]
    NotRunning,

    #[error("{variable}: `{value}` is not {expected}")]
    Variable { variable: &'static str, value: String, expected: &'static str },

    /// Servers are not installed, and we may not or cannot install them.
    #[error("{missing} is missing; {advice}")]
    Missing { missing: String, advice: &'static str },

    #[error("not up to date: {packages}; run `cargo xtask sqlx-prepare`")]
    Stale { packages: String },

    #[error("the import failed: {reason}")]
    Import { reason: String },

    #[error("interrupted")]
    Interrupted,

    #[error("another program runs this command; call it as `cargo xtask …`")]
    OtherProgram,
}

impl Error {
    /// For `map_err` on errors of the file system.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// For `map_err` on errors of the HTTP client.
    pub fn unreachable(url: &str) -> impl FnOnce(reqwest::Error) -> Self {
        let url = url.to_owned();
        move |source| Self::Unreachable { url, source }
    }
}
