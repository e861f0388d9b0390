//! Maps internal errors to responses: logs the whole chain once and shows none of it to the client.

use std::{error::Error, fmt::Write as _, time::Duration};

use crate::response::Problem;

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
    /// Logs `error` with all its sources and returns 500 `internal`.
    ///
    /// If the chain contains a temporary database error, returns 503 `database_unavailable` or `database_busy` instead.
    pub fn internal_from(error: &(dyn Error + 'static)) -> Problem {
        let mut cause = Some(error);
        while let Some(current) = cause {
            if let Some(database) = current.downcast_ref::<sqlx::Error>()
                && let Some(code) = transient_code(database)
            {
                tracing::warn!(error = chain(error), code, "database unavailable");
                return Problem::unavailable(code, RETRY_DATABASE_AFTER);
            }
            cause = current.source();
        }
        tracing::error!(error = chain(error), "request failed");
        Problem::internal()
    }
}

impl From<sqlx::Error> for Problem {
    /// Never returns 404, not even for [`sqlx::Error::RowNotFound`]: the caller decides what a missing row means.
    fn from(error: sqlx::Error) -> Problem {
        Problem::internal_from(&error)
    }
}

impl From<messaging::Error> for Problem {
    /// Returns 503 if the database behind the error is unavailable or busy, and 500 `internal` otherwise.
    fn from(error: messaging::Error) -> Problem {
        Problem::internal_from(&error)
    }
}

/// The problem code of a temporary database error; `None` for any other error.
#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is not ours and may grow")]
fn transient_code(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_) => Some("database_unavailable"),
        sqlx::Error::Database(database) => transient_sqlstate_code(database.code()?.as_ref()),
        _ => None,
    }
}

/// The problem code of a temporary error, by PostgreSQL's SQLSTATE.
fn transient_sqlstate_code(sqlstate: &str) -> Option<&'static str> {
    match sqlstate {
        // Administrator shutdown, crash, starting up, idle session timeout, too many connections.
        "57P01" | "57P02" | "57P03" | "57P05" | "53300" => Some("database_unavailable"),
        connection if connection.starts_with("08") => Some("database_unavailable"),
        // Statement timeout, idle in transaction for too long, lock not available, serialization failure, deadlock.
        "57014" | "25P03" | "55P03" | "40001" | "40P01" => Some("database_busy"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::{chain, transient_sqlstate_code};
    use crate::response::Problem;

    #[derive(Debug, thiserror::Error)]
    #[error("the order could not be stored")]
    struct Outer(#[source] sqlx::Error);

    #[test]
    fn chain_is_one_line_without_repetition() {
        let error = Outer(sqlx::Error::Io(std::io::Error::other("cable pulled")));
        let line = chain(&error);
        assert!(line.starts_with("the order could not be stored: "), "{line}");
        assert!(line.ends_with("cable pulled"), "{line}");
    }

    #[test]
    fn temporary_database_error_is_503() {
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
        assert_eq!(transient_sqlstate_code("57P03"), Some("database_unavailable"));
        assert_eq!(transient_sqlstate_code("08006"), Some("database_unavailable"));
        assert_eq!(transient_sqlstate_code("40P01"), Some("database_busy"));
        assert_eq!(transient_sqlstate_code("23505"), None);
    }

    #[test]
    fn internal_error_is_an_opaque_500() {
        let problem = Problem::from(sqlx::Error::ColumnNotFound("secret_column".into()));
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!problem.to_json().to_string().contains("secret_column"));
        assert_eq!(Problem::from(sqlx::Error::RowNotFound).code(), "internal");
        assert_eq!(Problem::from(messaging::Error::Blocked).code(), "internal");
    }
}
