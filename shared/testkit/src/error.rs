//! Errors of starting, watching and stopping servers.

use std::{io, path::PathBuf, process::ExitStatus};

use crate::wait::WaitError;

/// An operation on a server, a database or a process failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{program} is not installed: on Debian, install it with `apt-get install {package}`")]
    NotInstalled {
        program: &'static str,
        /// The Debian package that contains the program.
        package: &'static str,
    },

    /// This process is root, and the account that the server should run under does not exist.
    #[error("there is no user `{0}`, and a server must not run as root")]
    NoAccount(String),

    /// A file system operation failed.
    #[error("cannot use {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },

    /// The base directory belongs to another user.
    #[error("{} belongs to another user", .0.display())]
    NotOwned(PathBuf),

    #[error("no free port on 127.0.0.1")]
    NoFreePort,

    #[error("cannot start {name}")]
    Spawn {
        name: String,
        #[source]
        source: io::Error,
    },

    #[error("cannot signal or await {name}")]
    Signal {
        name: String,
        #[source]
        source: io::Error,
    },

    /// A program exited unexpectedly, or a command failed.
    #[error("{name} exited ({status}); the end of its log:\n{log}")]
    Exited {
        name: String,
        status: ExitStatus,
        /// The last bytes of its output.
        log: String,
    },

    #[error("{0} is not running")]
    NotRunning(String),

    #[error(transparent)]
    Wait(#[from] WaitError),

    #[error("PostgreSQL failed")]
    Sql(#[from] sqlx::Error),

    #[error("cannot migrate the new database")]
    Migrate(#[from] sqlx::migrate::MigrateError),

    #[error(transparent)]
    Management(#[from] rabbitmq_management::Error),

    #[error(transparent)]
    Certificate(#[from] tls::authority::AuthorityError),

    #[error("`{0}` is not a valid URL")]
    InvalidUrl(String),
}

impl Error {
    /// For `map_err` on an I/O error of `path`.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
