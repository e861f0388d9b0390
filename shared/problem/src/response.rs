//! The problem: its contents, constructors for the usual ones, and the response.

use std::{error::Error, fmt, io, time::Duration};

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use envelope::trace::TraceContext;
use serde::Serialize;
use serde_json::{Map, Value};

/// One error in one field of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Path of the field (`lines[0].sku`), name of the parameter, or `""` for the whole body.
    pub field: String,
    /// For programs: `invalid`, `required`, `unknown_field` or a code of the service.
    #[schema(value_type = String, example = "invalid")]
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl FieldError {
    /// An error in `field`.
    pub fn new(
        field: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) -> FieldError {
        FieldError { field: field.into(), code, message: message.into() }
    }
}

/// An error response in the format of RFC 9457.
///
/// It is one pointer wide, so that a `Result` with it stays small.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone, PartialEq)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    members: Map<String, Value>,
    headers: HeaderMap,
}

impl Problem {
    /// A problem with a stable `code` in `snake_case` and a title that is fixed for the code.
    pub fn new(status: StatusCode, code: &'static str, title: &'static str) -> Problem {
        Problem(Box::new(Parts {
            status,
            code,
            title,
            detail: None,
            errors: Vec::new(),
            retry_after: None,
            members: Map::new(),
            headers: HeaderMap::new(),
        }))
    }

    /// Explains this occurrence, for people.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Problem {
        self.0.detail = Some(detail.into());
        self
    }

    /// Lists the errors of single fields.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Problem {
        self.0.errors = errors;
        self
    }

    /// Sets `Retry-After`, rounded up to whole seconds.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Problem {
        self.0.retry_after = Some(after);
        self
    }

    /// Adds a member to the body, such as the id of a conflicting resource. Standard members cannot be replaced.
    #[must_use]
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header to the response.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.0.headers.insert(name, value);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The errors of single fields.
    pub fn field_errors(&self) -> &[FieldError] {
        &self.0.errors
    }
}

/// Problems that every service uses.
impl Problem {
    /// 400 with a code of the caller: the request cannot be parsed.
    pub fn bad_request(code: &'static str, title: &'static str) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, code, title)
    }

    /// The body cannot be read because of `error`: 408 `body_too_slow` if a timeout is among its causes, else 400
    /// `unreadable_body`.
    pub fn unreadable_body(error: &(dyn Error + 'static)) -> Problem {
        let mut cause = Some(error);
        while let Some(current) = cause {
            let io = current.downcast_ref::<io::Error>();
            if io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
                let title = "The body came too slowly";
                return Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", title);
            }
            cause = current.source();
        }
        Problem::bad_request("unreadable_body", "The body could not be read")
    }

    /// 404 `not_found`; `what` names the missing resource, as in `product 0199…`.
    pub fn not_found(what: impl fmt::Display) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "Not found")
            .detail(format!("There is no {what}."))
    }

    /// 422 `validation_failed`: the request was parsed, and these fields are invalid.
    pub fn validation(errors: Vec<FieldError>) -> Problem {
        let count = errors.len();
        let noun = if count == 1 { "field is" } else { "fields are" };
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", "Validation failed")
            .detail(format!("{count} {noun} not valid; see `errors`."))
            .errors(errors)
    }

    /// 401 `unauthorized`: the token is missing or invalid; `reason` explains it.
    pub fn unauthorized(reason: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "A valid bearer token is required")
            .detail(reason)
            .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 403 `insufficient_scope`: the token is valid but lacks `scope`.
    pub fn forbidden(scope: impl fmt::Display) -> Problem {
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        let problem = Problem::new(
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            "The token does not allow this",
        )
        .detail(format!("This operation requires the scope `{scope}`."));
        match HeaderValue::from_str(&challenge) {
            Ok(challenge) => problem.header(WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        }
    }

    /// 409 with a code of the service: the request is valid, but the current state does not allow it.
    pub fn conflict(code: &'static str, title: &'static str) -> Problem {
        Problem::new(StatusCode::CONFLICT, code, title)
    }

    /// 412 `precondition_failed`: the version in `If-Match` is not the current one.
    pub fn precondition_failed() -> Problem {
        Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "The version in If-Match is not the current one",
        )
        .detail("Read the resource again, and send the change with the new ETag.")
    }

    /// 503 with a code of the service: temporarily unavailable.
    pub fn unavailable(code: &'static str, retry_after: Duration) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, "Temporarily unavailable")
            .retry_after(retry_after)
    }

    /// 500 `internal`: shows nothing but the trace id.
    pub fn internal() -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error")
            .detail("The error was logged with the trace id.")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.status.as_u16(), self.0.code, self.0.title)?;
        match &self.0.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// The body; its OpenAPI schema is in [`crate::schema`].
#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

const STANDARD_MEMBERS: [&str; 8] =
    ["type", "title", "status", "code", "detail", "errors", "trace_id", "instance"];

impl Problem {
    /// The body as JSON, with the trace id of the current task.
    pub fn to_json(&self) -> Value {
        let parts = &*self.0;
        let body = ProblemBody {
            r#type: format!("/problems/{}", parts.code),
            title: parts.title,
            status: parts.status.as_u16(),
            code: parts.code,
            detail: parts.detail.as_deref(),
            errors: &parts.errors,
            trace_id: envelope::trace::current().map(TraceContext::trace_id),
        };
        let mut json = serde_json::to_value(body).unwrap_or_default();
        if let Value::Object(object) = &mut json {
            for (name, value) in &parts.members {
                if !STANDARD_MEMBERS.contains(&name.as_str()) {
                    object.insert(name.clone(), value.clone());
                }
            }
        }
        json
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        *response.status_mut() = self.0.status;
        let headers = response.headers_mut();
        headers.extend(self.0.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.0.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
        }
        response
    }
}

/// Rounded up, and at least one: `Retry-After: 0` would make all clients retry at once.
fn whole_seconds(duration: Duration) -> u64 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    seconds.max(1)
}
