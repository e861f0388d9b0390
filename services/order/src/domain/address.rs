//! Shipping addresses.

/// A postal address. Every text is trimmed, on one line and within its length limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) name: String,
    /// Street and number.
    pub(crate) line1: String,
    /// Building, floor or room.
    pub(crate) line2: Option<String>,
    pub(crate) city: String,
    /// Province or state.
    pub(crate) region: Option<String>,
    pub(crate) postal_code: Option<String>,
    /// ISO 3166-1 alpha-2, in capitals.
    pub(crate) country: String,
    pub(crate) phone: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidText {
    #[error("must have 1 to {0} characters on one line")]
    Text(usize),
    #[error("must be two letters, such as CN")]
    Country,
}

/// Trims `text`; it must have 1 to `max_length` characters, none of them a control character.
pub(crate) fn one_line(text: &str, max_length: usize) -> Result<String, InvalidText> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().nth(max_length).is_none();
    if fits && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(InvalidText::Text(max_length))
    }
}

/// Parses a two-letter country code, in any case.
pub(crate) fn country(text: &str) -> Result<String, InvalidText> {
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
