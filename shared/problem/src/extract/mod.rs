//! Extractors that reject with problems.

mod idempotency_key;
mod if_match;
mod json;
mod path;
mod query;
mod shape;

pub use idempotency_key::IdempotencyKey;
pub use if_match::{ETag, IfMatch};
pub use json::Json;
pub use path::Path;
pub use query::Query;

use axum::http::HeaderName;
use axum::http::request::Parts;

use crate::Problem;

/// The one value of a header as text: `None` if it is absent, a problem with `code` if it is there twice or not ASCII.
fn single_header<'a>(
    parts: &'a Parts,
    name: &HeaderName,
    code: &'static str,
) -> Result<Option<&'a str>, Problem> {
    let refuse = |why: &str| {
        Problem::bad_request(code, "A header cannot be understood").detail(format!("{name} {why}."))
    };
    let mut values = parts.headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(refuse("was sent more than once"));
    }
    value.to_str().map(Some).map_err(|_| refuse("is not visible ASCII"))
}
