//! The parameter `limit` of lists.

use problem::{FieldError, Problem};

const DEFAULT_LIMIT: u16 = 20;
const MAX_LIMIT: u16 = 100;

/// The number of items of a page; 400 if it is out of range.
pub(super) fn page_limit(limit: Option<u16>) -> Result<u16, Problem> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(invalid_parameter("limit", format!("must be a number from 1 to {MAX_LIMIT}")))
}

/// 400 for a query parameter.
pub(super) fn invalid_parameter(parameter: &str, message: String) -> Problem {
    Problem::bad_request("invalid_query", "The query string is not valid")
        .errors(vec![FieldError::new(parameter, "invalid", message)])
}
