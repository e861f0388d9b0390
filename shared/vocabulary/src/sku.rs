//! Stock keeping units: the identifiers of sellable variants.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// In characters.
const MAX_LENGTH: usize = 64;

/// The identifier of a variant: 1 to 64 ASCII letters, digits and `-_./+#`; case-sensitive.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[A-Za-z0-9_./+#-]{1,64}$"))]
#[schema(value_type = String, example = "KB-F87-RED", min_length = 1, max_length = 64)]
pub struct Sku(String);

/// The text is not a valid SKU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SKU has 1 to {MAX_LENGTH} characters: ASCII letters, digits and -_./+#")]
pub struct InvalidSku;

impl Sku {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Sku {
    type Error = InvalidSku;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./+#".contains(c);
        let fits = (1..=MAX_LENGTH).contains(&text.len());
        if fits && text.chars().all(allowed) { Ok(Self(text)) } else { Err(InvalidSku) }
    }
}

impl FromStr for Sku {
    type Err = InvalidSku;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<Sku> for String {
    fn from(sku: Sku) -> Self {
        sku.0
    }
}

impl AsRef<str> for Sku {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Sku {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Sku;

    #[test]
    fn invalid_characters_and_lengths_are_rejected() {
        for bad in ["", " ", "a b", "键盘", "a\n", &"x".repeat(65)] {
            assert!(bad.parse::<Sku>().is_err(), "{bad:?}");
        }
        assert_eq!("KB-F87/RED#1".parse::<Sku>().unwrap().as_str(), "KB-F87/RED#1");
    }
}
