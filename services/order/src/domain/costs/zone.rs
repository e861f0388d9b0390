//! Where an order goes, and for which destinations a rate holds.

use crate::domain::address::Address;

/// What rates look at of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Destination<'a> {
    /// ISO 3166-1 alpha-2, in capitals.
    pub(crate) country: &'a str,
    /// Province or state, as the customer wrote it.
    pub(crate) region: Option<&'a str>,
}

impl<'a> From<&'a Address> for Destination<'a> {
    fn from(address: &'a Address) -> Self {
        Self { country: &address.country, region: address.region.as_deref() }
    }
}

/// The destinations for which a rate holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Zone {
    /// `None`: all countries.
    country: Option<String>,
    /// `None`: the whole country.
    region: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("needs a country")]
pub(crate) struct RegionWithoutCountry;

impl Zone {
    pub(crate) fn new(
        country: Option<String>,
        region: Option<String>,
    ) -> Result<Self, RegionWithoutCountry> {
        if country.is_none() && region.is_some() {
            return Err(RegionWithoutCountry);
        }
        Ok(Self { country, region })
    }

    pub(crate) fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// How closely the zone describes the destination: a region more than a country, and that more than everywhere.
    /// `None` if the destination is outside.
    pub(super) fn closeness(&self, destination: Destination<'_>) -> Option<u8> {
        match (&self.country, &self.region) {
            (None, _) => Some(0),
            (Some(country), _) if country != destination.country => None,
            (Some(_), None) => Some(1),
            (Some(_), Some(region)) => {
                let is_inside = destination.region.is_some_and(|other| is_same(region, other));
                is_inside.then_some(2)
            }
        }
    }
}

/// Whether two names are equal without their case and the white space around them.
fn is_same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{Destination, RegionWithoutCountry, Zone};

    fn zone(country: Option<&str>, region: Option<&str>) -> Zone {
        Zone::new(country.map(str::to_owned), region.map(str::to_owned)).unwrap()
    }

    #[test]
    fn a_closer_zone_wins() {
        let there = Destination { country: "US", region: Some(" new york") };
        assert_eq!(zone(None, None).closeness(there), Some(0));
        assert_eq!(zone(Some("US"), None).closeness(there), Some(1));
        assert_eq!(zone(Some("US"), Some("New York")).closeness(there), Some(2));
        assert_eq!(zone(Some("US"), Some("Texas")).closeness(there), None);
        assert_eq!(zone(Some("CN"), None).closeness(there), None);
        let unknown = Destination { country: "US", region: None };
        assert_eq!(zone(Some("US"), Some("Texas")).closeness(unknown), None);
    }

    #[test]
    fn a_region_belongs_to_a_country() {
        assert_eq!(Zone::new(None, Some("Texas".to_owned())), Err(RegionWithoutCountry));
    }
}
