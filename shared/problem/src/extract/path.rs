//! Path parameters.

use axum::{
    extract::{FromRequestParts, path::ErrorKind, rejection::PathRejection},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::nul;
use crate::response::{FieldError, Problem};

/// The path parameters. Rejects with 400 `invalid_path` and the name of the parameter.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Problem> {
        if nul::is_in_uri(parts.uri.path()) {
            return Err(invalid_path(nul::error("")));
        }
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(rejection) => Err(problem(rejection)),
        }
    }
}

fn problem(rejection: PathRejection) -> Problem {
    let text = rejection.body_text();
    if let PathRejection::FailedToDeserializePathParams(failed) = rejection
        && let Some(error) = field_error(failed.into_kind())
    {
        return invalid_path(error);
    }
    // The handler expects parameters that its route does not have.
    tracing::error!(error = text, "failed to extract path parameters");
    Problem::internal()
}

fn invalid_path(error: FieldError) -> Problem {
    Problem::bad_request("invalid_path", "The path is not valid").errors(vec![error])
}

/// `None` if the error is in the handler and not in the request.
#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is not ours and may grow")]
fn field_error(kind: ErrorKind) -> Option<FieldError> {
    let (field, message) = match kind {
        ErrorKind::ParseErrorAtKey { key, value, expected_type } => {
            (key, format!("cannot read `{value}` as {expected_type}"))
        }
        ErrorKind::ParseErrorAtIndex { index, value, expected_type } => {
            (format!("[{index}]"), format!("cannot read `{value}` as {expected_type}"))
        }
        ErrorKind::ParseError { value, expected_type } => {
            (String::new(), format!("cannot read `{value}` as {expected_type}"))
        }
        ErrorKind::InvalidUtf8InPathParam { key } => (key, "is not UTF-8".to_owned()),
        ErrorKind::DeserializeError { key, message, .. } => (key, message),
        ErrorKind::Message(message) => (String::new(), message),
        _ => return None,
    };
    Some(FieldError::new(field, "invalid", message))
}
