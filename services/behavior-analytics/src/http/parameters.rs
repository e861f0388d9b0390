//! Problems of path and query parameters.

use problem::{FieldError, Problem};

use crate::domain::identity::VisitorId;

/// Parses a visitor id in the path.
pub(super) fn visitor_in_path(parameter: &str, text: &str) -> Result<VisitorId, Problem> {
    VisitorId::parse(text).map_err(|error| {
        Problem::bad_request("invalid_path", "The path is not valid").errors(vec![FieldError::new(
            parameter,
            "invalid",
            error.to_string(),
        )])
    })
}

/// The visitor who the subject of a token is.
pub(super) fn visitor_of_subject(subject: &str) -> Result<VisitorId, Problem> {
    VisitorId::parse(subject)
        .map_err(|_| Problem::unauthorized("The subject of the token is no visitor."))
}

/// The problem of an invalid query parameter.
pub(super) fn invalid_query(parameter: &str, message: impl Into<String>) -> Problem {
    Problem::bad_request("invalid_query", "The query string is not valid")
        .errors(vec![FieldError::new(parameter, "invalid", message)])
}
