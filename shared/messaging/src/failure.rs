//! What a handler answers when it cannot do its work. The choice is forced: there is no failure without a verdict.

use std::time::Duration;

use crate::Error;

/// Anything that went wrong, kept with its causes.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why an event was not handled, and what is to become of it.
#[derive(Debug)]
pub struct Failure {
    pub(crate) verdict: Verdict,
    pub(crate) cause: Cause,
}

/// What is to become of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may go better later: the event is parked under its key, later events of the key queue behind it.
    Retry,
    /// It will never go better: a dead letter is written, with this code as the reason.
    Reject(&'static str),
    /// It says nothing about the event: the database or the broker is out of reach. Nothing is acknowledged.
    Unavailable,
}

impl Failure {
    /// It may go better later.
    pub fn retry(cause: impl Into<Cause>) -> Self {
        Self { verdict: Verdict::Retry, cause: cause.into() }
    }

    /// It will never go better. `code` is stable: dead letters are grouped by it.
    pub fn reject(code: &'static str, cause: impl Into<Cause>) -> Self {
        Self { verdict: Verdict::Reject(code), cause: cause.into() }
    }

    /// The handler took longer than `limit`. It may go better later.
    pub(crate) fn late(limit: Duration) -> Self {
        Self::retry(Error::Deadline { what: "the handler", limit })
    }

    /// How long the handler was waited for in vain, if that is what is wrong.
    pub(crate) fn waited(&self) -> Option<Duration> {
        match self.cause.downcast_ref() {
            Some(Error::Deadline { limit, .. }) => Some(*limit),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let verdict = if is_unavailable(&error) { Verdict::Unavailable } else { Verdict::Retry };
        Self { verdict, cause: error.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let verdict = if error.is_outage() {
            Verdict::Unavailable
        } else if matches!(error, Error::Encode(_) | Error::Key { .. } | Error::TooLarge { .. }) {
            Verdict::Reject("unencodable")
        } else {
            Verdict::Retry
        };
        Self { verdict, cause: error.into() }
    }
}

/// Whether the database is to blame rather than what was asked of it: connection lost, shutting down, out of
/// resources, or a transaction that lost against another one (deadlock, serialisation) and may simply run again.
pub(crate) fn is_unavailable(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Database(error) = error {
        return error.code().is_some_and(|code| {
            // Classes of SQLSTATE, see appendix A of PostgreSQL's manual: connection, transaction rollback, resources, operator
            // intervention but for a statement that took too long, system; and a lock that was not to be had in time.
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
