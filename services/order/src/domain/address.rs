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

/// Where an order goes, as far as other services may know. They choose the warehouse by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    /// ISO 3166-1 alpha-2, in capitals.
    pub(crate) country: String,
    pub(crate) region: Option<String>,
}

/// The maximum length of a region that other services may know, in characters.
const MAX_REGION: usize = 40;

/// The maximum length of the code of a part of a country in ISO 3166-2.
const MAX_REGION_CODE: usize = 3;

impl Address {
    /// The country and the region, without anything that could be more of the address: customers type what they want. A region
    /// is left out if it is long, or has digits and is no code.
    pub(crate) fn destination(&self) -> Destination {
        let region = self.region.clone().filter(|region| {
            let code = match region.split_once('-') {
                Some((country, code)) if country.eq_ignore_ascii_case(&self.country) => code,
                Some(_) | None => region,
            };
            let is_code = code.len() <= MAX_REGION_CODE
                && code.bytes().all(|letter| letter.is_ascii_alphanumeric());
            let has_digits = region.chars().any(char::is_numeric);
            is_code || (!has_digits && region.chars().count() <= MAX_REGION)
        });
        Destination { country: self.country.clone(), region }
    }
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
    use super::{Address, Destination, InvalidText, country, one_line};

    #[test]
    fn a_destination_tells_country_and_region_only() {
        let to = |region: Option<&str>| {
            let text = || "示例路 100 号".to_owned();
            let address = Address {
                name: text(),
                line1: text(),
                line2: Some(text()),
                city: text(),
                region: region.map(str::to_owned),
                postal_code: Some(text()),
                country: "CN".into(),
                phone: Some(text()),
            };
            let Destination { country, region } = address.destination();
            assert_eq!(country, "CN");
            region
        };
        for region in ["浙江省", "ZJ", "CN-ZJ", "75", "CN-75", "Baden-Württemberg"] {
            assert_eq!(to(Some(region)).as_deref(), Some(region));
        }
        for other in ["示例路 100 号", "13800000000", "US-1234", &"a".repeat(41)] {
            assert_eq!(to(Some(other)), None, "{other}");
        }
        assert_eq!(to(None), None);
    }

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
