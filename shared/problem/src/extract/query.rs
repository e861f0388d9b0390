//! Query parameters.

use std::error::Error as _;

use axum::{
    extract::{FromRequestParts, rejection::QueryRejection},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::{nul, serde_error::field_error};
use crate::response::{FieldError, Problem};

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
        if let Some(name) = parts.uri.query().and_then(parameter_with_nul) {
            return Err(invalid_query(nul::error(name)));
        }
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
    invalid_query(error)
}

fn invalid_query(error: FieldError) -> Problem {
    Problem::bad_request("invalid_query", "The query string is not valid").errors(vec![error])
}

/// The name of a parameter whose value contains U+0000; `""` if a name contains it.
fn parameter_with_nul(query: &str) -> Option<&str> {
    let pair = query.split('&').find(|pair| nul::is_in_uri(pair))?;
    let (name, _) = pair.split_once('=').unwrap_or_default();
    Some(if nul::is_in_uri(name) { "" } else { name })
}
