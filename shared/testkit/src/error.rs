//! What can go wrong while servers are started, watched and ended.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use crate::wait::WaitError;

/// Why a server, a database or a process could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is not installed on this machine.
    #[error("{program} is not installed: on Debian, `apt-get install {package}` brings it")]
    NotInstalled {
        /// What was looked for.
        program: &'static str,
        /// The Debian package that brings it.
        package: &'static str,
    },

    /// We are root and the account that the server should run under does not exist.
    #[error("there is no user `{0}`, and a server must not run as root")]
    NoAccount(String),

    /// A folder or file could not be made, read, handed over or removed.
    #[error("cannot use {}", path.display())]
    File {
        /// The path in question.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },

    /// The folder in which data would lie belongs to somebody else.
    #[error("{} belongs to somebody else", .0.display())]
    ForeignFolder(PathBuf),

    /// No free port was found.
    #[error("no free port on 127.0.0.1")]
    NoFreePort,

    /// A program could not be started.
    #[error("cannot start {name}")]
    Spawn {
        /// The name that the program was given.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },

    /// A signal could not be delivered, or a process not waited for.
    #[error("cannot signal or await {name}")]
    Signal {
        /// The name that the program was given.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },

    /// A program that should run has ended, or a command failed.
    #[error("{name} ended ({status}); the end of its log:\n{log}")]
    Ended {
        /// The name that the program was given.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it wrote.
        log: String,
    },

    /// The server is not running, so it cannot be killed, stopped or asked.
    #[error("{0} is not running")]
    NotRunning(String),

    /// A state did not come in time.
    #[error(transparent)]
    Wait(#[from] WaitError),

    /// PostgreSQL refused.
    #[error("PostgreSQL refused")]
    Sql(#[from] sqlx::Error),

    /// Migrations could not be applied to a fresh database.
    #[error("cannot migrate the fresh database")]
    Migrate(#[from] sqlx::migrate::MigrateError),

    /// RabbitMQ's management API could not be reached, or its answer not be read.
    #[error("RabbitMQ's management API did not answer")]
    Management(#[from] reqwest::Error),

    /// RabbitMQ's management API answered with an error.
    #[error("RabbitMQ's management API answered {status} to {request}: {body}")]
    ManagementRefused {
        /// Method and path.
        request: String,
        /// The status code.
        status: u16,
        /// What it said.
        body: String,
    },

    /// An address is not one of the form that is expected.
    #[error("`{0}` is not a usable address")]
    Address(String),
}

impl Error {
    /// For `map_err` on what the file system says.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
