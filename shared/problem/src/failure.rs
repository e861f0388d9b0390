//! From an error of ours to an answer: the whole chain goes to the log, once, and nothing of it to the client.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

use crate::Problem;

/// How long a client waits before it tries a database again that is away or overloaded.
const RETRY_DATABASE_AFTER: Duration = Duration::from_secs(2);

/// The error and all its sources in one line, outermost first.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a string cannot fail.
        let _ = write!(line, ": {cause}");
        source = cause.source();
    }
    line
}

impl Problem {
    /// Logs `error` with its whole chain of sources and answers 500 `internal`; or 503 `database_unavailable` or
    /// `database_busy` when the chain ends in a database that is away, starting, stopping or overloaded.
    pub fn internal_from(error: &(dyn Error + 'static)) -> Problem {
        let mut cause = Some(error);
        while let Some(current) = cause {
            if let Some(database) = current.downcast_ref::<sqlx::Error>()
                && let Some(code) = passing_trouble(database)
            {
                tracing::warn!(error = chain(error), code, "the database did not answer");
                return Problem::unavailable(code, RETRY_DATABASE_AFTER);
            }
            cause = current.source();
        }
        tracing::error!(error = chain(error), "a request failed");
        Problem::internal()
    }
}

impl From<sqlx::Error> for Problem {
    /// A missing row is not taken for a missing thing: that is the caller's to say.
    fn from(error: sqlx::Error) -> Problem {
        Problem::internal_from(&error)
    }
}

impl From<messaging::Error> for Problem {
    /// Answers 503 if the database behind the error is unavailable or busy, and 500 `internal` otherwise.
    fn from(error: messaging::Error) -> Problem {
        Problem::internal_from(&error)
    }
}

/// The code of a problem that will pass by itself; `None` for an error of ours.
#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is not ours and may grow")]
fn passing_trouble(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_) => Some("database_unavailable"),
        sqlx::Error::Database(database) => passing_sqlstate(database.code()?.as_ref()),
        _ => None,
    }
}

/// The same by PostgreSQL's own codes.
fn passing_sqlstate(sqlstate: &str) -> Option<&'static str> {
    match sqlstate {
        // Shut down by the administrator, crashed, starting up or cut off for idling; no connection left.
        "57P01" | "57P02" | "57P03" | "57P05" | "53300" => Some("database_unavailable"),
        connection if connection.starts_with("08") => Some("database_unavailable"),
        // Cancelled by the statement timeout, lock not available, serialisation failure, deadlock.
        "57014" | "55P03" | "40001" | "40P01" => Some("database_busy"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::{chain, passing_sqlstate};
    use crate::Problem;

    #[derive(Debug, thiserror::Error)]
    #[error("the order could not be stored")]
    struct Outer(#[source] sqlx::Error);

    #[test]
    fn a_chain_is_one_line_and_says_everything_once() {
        let error = Outer(sqlx::Error::Io(std::io::Error::other("cable pulled")));
        let line = chain(&error);
        assert!(line.starts_with("the order could not be stored: "), "{line}");
        assert!(line.ends_with("cable pulled"), "{line}");
    }

    #[test]
    fn trouble_that_passes_is_503_with_a_time_to_try_again() {
        for error in [
            sqlx::Error::PoolTimedOut,
            sqlx::Error::PoolClosed,
            sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into()),
        ] {
            let problem = Problem::from(error);
            assert_eq!(problem.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(problem.code(), "database_unavailable");
        }
        let wrapped = Problem::internal_from(&Outer(sqlx::Error::PoolTimedOut));
        assert_eq!(wrapped.code(), "database_unavailable");
        let messaging = messaging::Error::Database(sqlx::Error::PoolTimedOut);
        assert_eq!(Problem::from(messaging).code(), "database_unavailable");
        assert_eq!(Problem::from(messaging::Error::Blocked).code(), "internal");
        assert_eq!(passing_sqlstate("57P03"), Some("database_unavailable"));
        assert_eq!(passing_sqlstate("08006"), Some("database_unavailable"));
        assert_eq!(passing_sqlstate("40P01"), Some("database_busy"));
        assert_eq!(passing_sqlstate("23505"), None);
    }

    #[test]
    fn what_is_our_fault_is_an_opaque_500() {
        let problem = Problem::from(sqlx::Error::ColumnNotFound("secret_column".into()));
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!problem.to_json().to_string().contains("secret_column"));
        assert_eq!(Problem::from(sqlx::Error::RowNotFound).code(), "internal");
    }
}
