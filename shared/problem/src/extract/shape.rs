//! What serde says of a value that does not have the expected shape, as the error of one field.

use crate::FieldError;

/// The error of the field at `path`, which is `""` for the whole.
///
/// Where a field is missing or was given twice, serde's path leads to its parent; the name, which the message has, is
/// added to it.
pub(super) fn field_error(path: &str, message: &str) -> FieldError {
    let named = |prefix: &str| message.strip_prefix(prefix)?.split('`').next();
    if let Some(name) = named("missing field `") {
        FieldError::new(below(path, name), "required", "is required")
    } else if let Some(name) = named("duplicate field `") {
        FieldError::new(below(path, name), "invalid", "was given more than once")
    } else if message.starts_with("unknown field `") {
        FieldError::new(path, "unknown_field", message)
    } else {
        FieldError::new(path, "invalid", message)
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
