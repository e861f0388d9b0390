//! The character U+0000, which PostgreSQL cannot store. Without this check it would be an internal error.

use serde_json::Value;

use crate::response::FieldError;

/// The error of a field that contains the character.
pub(super) fn error(field: impl Into<String>) -> FieldError {
    FieldError::new(field, "invalid", "must not contain the character U+0000")
}

/// Whether text of a URI contains the character. The raw character is no URI.
pub(super) fn is_in_uri(text: &str) -> bool {
    text.contains("%00")
}

/// The path of the first text in a JSON document that contains the character.
pub(super) fn path_in_json(body: &[u8]) -> Option<String> {
    // Only a body with the escape sequence is parsed once more; `\\u0000` is one, too, but of another text.
    if !body.split(|byte| *byte == b'\\').skip(1).any(|rest| rest.starts_with(b"u0000")) {
        return None;
    }
    find(&serde_json::from_slice(body).ok()?)
}

fn find(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| find(item).map(|path| join(&format!("[{index}]"), &path))),
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            if name.contains('\0') {
                Some(String::new())
            } else {
                find(field).map(|path| join(name, &path))
            }
        }),
    }
}

fn join(first: &str, rest: &str) -> String {
    if rest.is_empty() || rest.starts_with('[') {
        format!("{first}{rest}")
    } else {
        format!("{first}.{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::path_in_json;

    #[test]
    fn path_names_the_text_with_the_character() {
        let path = |body: &str| path_in_json(body.as_bytes());
        assert_eq!(
            path(r#"{"lines": [{"sku": "A"}, {"sku": "B\u0000"}]}"#),
            Some("lines[1].sku".into())
        );
        assert_eq!(path(r#"["\u0000"]"#), Some("[0]".into()));
        assert_eq!(path(r#"{"a\u0000": 1}"#), Some(String::new()));
        assert_eq!(path(r#"{"a": "\\u0000", "b": "u0000"}"#), None);
        assert_eq!(path(r#"{"a": "\u0000"#), None, "not JSON: another error");
    }
}
