//! Extractors that reject with problems.

mod idempotency_key;
mod if_match;
mod json;
mod nul;
mod path;
mod query;
mod serde_error;

pub use idempotency_key::IdempotencyKey;
pub use if_match::{ETag, IfMatch};
pub use json::{Json, unreadable_body};
pub use path::Path;
pub use query::Query;

use axum::http::{HeaderName, request::Parts};

use crate::response::Problem;

/// The value of a header as text: `None` if absent, a problem with `code` if sent twice or not visible ASCII.
fn single_header<'a>(
    parts: &'a Parts,
    name: &HeaderName,
    code: &'static str,
) -> Result<Option<&'a str>, Problem> {
    let invalid = |why: &str| {
        Problem::bad_request(code, "A header is not valid").detail(format!("{name} {why}."))
    };
    let mut values = parts.headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid("was sent more than once"));
    }
    value.to_str().map(Some).map_err(|_| invalid("is not visible ASCII"))
}
