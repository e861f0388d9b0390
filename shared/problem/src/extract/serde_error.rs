//! Maps a deserialisation error of serde to a field error.

use crate::response::FieldError;

/// The error of the field at `path`; `""` is the whole value.
///
/// If a field is missing or duplicated, serde's path ends at its parent. The field's name is then taken from the message
/// and appended.
pub(super) fn field_error(path: &str, message: &str) -> FieldError {
    let named = |prefix: &str| message.strip_prefix(prefix)?.split('`').next();
    if let Some(name) = named("missing field `") {
        FieldError::new(join(path, name), "required", "is required")
    } else if let Some(name) = named("duplicate field `") {
        FieldError::new(join(path, name), "invalid", "was given more than once")
    } else if message.starts_with("unknown field `") {
        FieldError::new(path, "unknown_field", message)
    } else {
        FieldError::new(path, "invalid", message)
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
