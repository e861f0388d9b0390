//! Query parameters.

use std::error::Error as _;

use axum::{
    extract::{FromRequestParts, rejection::QueryRejection},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::serde_error::field_error;
use crate::response::Problem;

/// The query parameters. Rejects with 400 `invalid_query` and the name of the parameter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Query<T>(pub T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Query<T>, Problem> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(rejection) => Err(problem(&rejection)),
        }
    }
}

fn problem(rejection: &QueryRejection) -> Problem {
    // The source reads `limit: invalid digit found in string`; the parameter comes first if serde knows it.
    let text = rejection.source().map_or_else(|| rejection.body_text(), ToString::to_string);
    let error = match text.split_once(": ") {
        Some((name, message)) => field_error(name, message),
        None => field_error("", &text),
    };
    Problem::bad_request("invalid_query", "The query string is not valid").errors(vec![error])
}
