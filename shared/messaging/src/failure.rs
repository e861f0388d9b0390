//! The failure of a handler. The constructor forces a choice between retry and reject.

use std::time::Duration;

use crate::Error;

/// The error behind a failure, with its sources.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why an event was not handled, and whether it is retried.
#[derive(Debug)]
pub struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) cause: Cause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// Temporary: the event is parked, and later events of its key wait behind it.
    Retry,
    /// Permanent: the event becomes a dead letter with this code as the reason.
    Reject(&'static str),
    /// The database or the broker is unreachable, whatever the event. Nothing is acknowledged.
    Unavailable,
}

impl Failure {
    /// A temporary failure.
    pub fn retry(cause: impl Into<Cause>) -> Self {
        Self { kind: FailureKind::Retry, cause: cause.into() }
    }

    /// A permanent failure. `code` must be stable: dead letters are grouped by it.
    pub fn reject(code: &'static str, cause: impl Into<Cause>) -> Self {
        Self { kind: FailureKind::Reject(code), cause: cause.into() }
    }

    /// The handler exceeded its timeout, which is a temporary failure.
    pub(crate) fn timed_out(limit: Duration) -> Self {
        Self::retry(Error::Deadline { what: "the handler", limit })
    }

    /// The timeout that the handler exceeded, if this is the cause.
    pub(crate) fn exceeded_timeout(&self) -> Option<Duration> {
        match self.cause.downcast_ref() {
            Some(Error::Deadline { limit, .. }) => Some(*limit),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let kind =
            if is_unavailable(&error) { FailureKind::Unavailable } else { FailureKind::Retry };
        Self { kind, cause: error.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = if error.is_outage() {
            FailureKind::Unavailable
        } else if matches!(
            error,
            Error::Encode(_) | Error::InvalidKey { .. } | Error::TooLarge { .. }
        ) {
            FailureKind::Reject("unencodable")
        } else {
            FailureKind::Retry
        };
        Self { kind, cause: error.into() }
    }
}

/// Whether the database caused the error, not the statement: the connection was lost, the server shuts down or lacks resources, or
/// the transaction lost against another one (deadlock, serialisation) and may run again.
pub(crate) fn is_unavailable(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Database(error) = error {
        return error.code().is_some_and(|code| {
            // SQLSTATE classes (PostgreSQL manual, appendix A): connection, transaction rollback, resources, operator intervention
            // without the statement timeout, system; and the lock timeout.
            ["08", "40", "53", "57P", "58", "55P03"].iter().any(|class| code.starts_with(class))
        });
    }
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    )
}
