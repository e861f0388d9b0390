//! Regions: countries and their parts.

use std::{fmt, str::FromStr};

/// The maximum length of a part, in characters.
const MAX_PART: usize = 60;

/// A country or a part of one, such as `CN`, `CN-ZJ` or `CN-浙江省`. Case does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    /// Two capital letters.
    country: String,
    /// In capitals.
    part: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a country such as `CN`, or a part of one such as `CN-ZJ`")]
pub(crate) struct InvalidRegion;

/// How near a warehouse is to the destination of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nearness {
    /// In another country, or not known.
    Elsewhere,
    SameCountry,
    SamePart,
}

impl Region {
    /// A part that begins with its country, as in ISO 3166-2, is the same one without it.
    pub(crate) fn new(country: &str, part: Option<&str>) -> Result<Self, InvalidRegion> {
        let letters = country.bytes().all(|letter| letter.is_ascii_alphabetic());
        if country.len() != 2 || !letters {
            return Err(InvalidRegion);
        }
        let country = country.to_ascii_uppercase();
        let part = part.map(|part| {
            let part = part.to_uppercase();
            match part.split_once('-') {
                Some((prefix, rest)) if prefix == country => rest.to_owned(),
                Some(_) | None => part,
            }
        });
        let is_valid = |part: &String| {
            let fits = (1..=MAX_PART).contains(&part.chars().count()) && part.trim() == part;
            fits && !part.chars().any(char::is_control)
        };
        if part.as_ref().is_none_or(is_valid) {
            Ok(Self { country, part })
        } else {
            Err(InvalidRegion)
        }
    }

    /// How near this place is to `destination`.
    pub(crate) fn nearness(&self, destination: &Self) -> Nearness {
        if self.country != destination.country {
            Nearness::Elsewhere
        } else if self.part.is_some() && self.part == destination.part {
            Nearness::SamePart
        } else {
            Nearness::SameCountry
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            Some(part) => write!(f, "{}-{part}", self.country),
            None => f.write_str(&self.country),
        }
    }
}

impl FromStr for Region {
    type Err = InvalidRegion;

    fn from_str(text: &str) -> Result<Self, InvalidRegion> {
        match text.split_once('-') {
            Some((country, part)) => Self::new(country, Some(part)),
            None => Self::new(text, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidRegion, Nearness, Region};

    fn region(text: &str) -> Region {
        text.parse().unwrap()
    }

    #[test]
    fn regions_are_countries_or_parts_of_them() {
        for (text, normal) in
            [("cn", "CN"), ("cn-zj", "CN-ZJ"), ("CN-浙江省", "CN-浙江省"), ("FR-75", "FR-75")]
        {
            assert_eq!(region(text).to_string(), normal);
            assert_eq!(region(normal), region(text));
        }
        for bad in ["", "C", "CHN", "C1", "CN-", "CN- ZJ", "CN-a\nb", "中国"] {
            assert_eq!(bad.parse::<Region>(), Err(InvalidRegion), "{bad:?}");
        }
        assert_eq!(Region::new("CN", Some(&"a".repeat(61))), Err(InvalidRegion));
        assert_eq!(Region::new("cn", Some("CN-ZJ")).unwrap(), region("CN-ZJ"));
    }

    #[test]
    fn the_same_part_is_nearer_than_the_same_country() {
        let nearness =
            |place: &str, destination: &str| region(place).nearness(&region(destination));
        assert_eq!(nearness("CN-ZJ", "CN-zj"), Nearness::SamePart);
        for (place, destination) in
            [("CN-ZJ", "CN-SH"), ("CN", "CN-SH"), ("CN-ZJ", "CN"), ("CN", "CN")]
        {
            assert_eq!(
                nearness(place, destination),
                Nearness::SameCountry,
                "{place} {destination}"
            );
        }
        assert_eq!(nearness("CA", "US-CA"), Nearness::Elsewhere);
    }
}
