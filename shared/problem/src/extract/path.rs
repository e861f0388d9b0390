//! The parameters in a path.

use axum::extract::FromRequestParts;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{FieldError, Problem};

/// The parameters in the path. Rejects with 400 `invalid_path`, naming the parameter.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(rejection) => Err(refusal(rejection)),
        }
    }
}

fn refusal(rejection: PathRejection) -> Problem {
    let text = rejection.body_text();
    if let PathRejection::FailedToDeserializePathParams(failed) = rejection
        && let Some(error) = field_error(failed.into_kind())
    {
        return Problem::bad_request("invalid_path", "The path is not valid").errors(vec![error]);
    }
    // A handler asks for parameters that its route does not have: ours to mend.
    tracing::error!(error = text, "a path could not be read");
    Problem::internal()
}

/// `None` if the handler, not the request, is wrong.
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
