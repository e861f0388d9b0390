//! Where an order goes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A postal address; every text is within its bounds, trimmed, on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Address {
    /// Who takes the parcel.
    pub name: String,
    /// Street and number.
    pub line1: String,
    /// What else is needed to find the door.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line2: Option<String>,
    /// The city.
    pub city: String,
    /// The province or state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The postal code, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// ISO 3166-1: two capital letters.
    pub country: String,
    /// For the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

/// Why a text of an address was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Nothing, too much, or more than one line.
    #[error("has 1 to {0} characters on one line")]
    Text(usize),
    /// Not two letters.
    #[error("is two letters, such as CN")]
    Country,
}

/// `text` without the space around it, of 1 to `longest` characters, none of them a control character.
pub fn one_line(text: &str, longest: usize) -> Result<String, InvalidText> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().nth(longest).is_none();
    if fits && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(InvalidText::Text(longest))
    }
}

/// A country's two letters, as capitals.
pub fn country(text: &str) -> Result<String, InvalidText> {
    let text = text.trim();
    if text.len() == 2 && text.bytes().all(|letter| letter.is_ascii_alphabetic()) {
        Ok(text.to_ascii_uppercase())
    } else {
        Err(InvalidText::Country)
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidText, country, one_line};

    #[test]
    fn texts_are_trimmed_and_bounded_by_characters() {
        assert_eq!(one_line(" 示例路 ", 3).unwrap(), "示例路");
        for bad in ["", "  ", "示例路一", "a\nb"] {
            assert_eq!(one_line(bad, 3), Err(InvalidText::Text(3)), "{bad:?}");
        }
    }

    #[test]
    fn countries_are_two_letters() {
        assert_eq!(country("cn").unwrap(), "CN");
        for bad in ["", "C", "CHN", "C1", "中国"] {
            assert_eq!(country(bad), Err(InvalidText::Country), "{bad:?}");
        }
    }
}
