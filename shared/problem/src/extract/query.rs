//! The parameters in a query string.

use std::error::Error as _;

use axum::extract::FromRequestParts;
use axum::extract::rejection::QueryRejection;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::shape::field_error;
use crate::Problem;

/// The parameters in the query string. Rejects with 400 `invalid_query`, naming the parameter.
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
            Err(rejection) => Err(refusal(&rejection)),
        }
    }
}

fn refusal(rejection: &QueryRejection) -> Problem {
    // The source reads `limit: invalid digit found in string`, the parameter first where it is known.
    let text = rejection.source().map_or_else(|| rejection.body_text(), ToString::to_string);
    let error = match text.split_once(": ") {
        Some((name, message)) => field_error(name, message),
        None => field_error("", &text),
    };
    Problem::bad_request("invalid_query", "The query string is not valid").errors(vec![error])
}
