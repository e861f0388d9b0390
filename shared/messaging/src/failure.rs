//! The failure of a handler. The constructor forces a choice between retry and reject.

use std::time::Duration;

use crate::error::{Cause, Error, is_unavailable};

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

    pub(crate) fn is_outage(&self) -> bool {
        self.kind == FailureKind::Unavailable
    }

    /// The same failure as a temporary one of the event.
    pub(crate) fn blamed(self) -> Self {
        let kind = match self.kind {
            FailureKind::Unavailable => FailureKind::Retry,
            kind @ (FailureKind::Retry | FailureKind::Reject(_)) => kind,
        };
        Self { kind, ..self }
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
