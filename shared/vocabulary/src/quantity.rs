//! Quantities and versions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The largest quantity of an order line or a stock movement.
const MAX_QUANTITY: u32 = 1_000_000;

/// A number of pieces, from one to a million.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    ToSchema,
)]
#[serde(try_from = "i64", into = "u32")]
#[schemars(with = "u32", extend("minimum" = 1, "maximum" = MAX_QUANTITY))]
#[schema(value_type = u32, minimum = 1, maximum = 1_000_000)]
pub struct Quantity(u32);

/// The number is not a valid quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a quantity is a whole number from 1 to {MAX_QUANTITY}")]
pub struct InvalidQuantity;

impl Quantity {
    /// Fails unless `pieces` is from one to a million.
    pub fn new(pieces: u32) -> Result<Self, InvalidQuantity> {
        if (1..=MAX_QUANTITY).contains(&pieces) { Ok(Self(pieces)) } else { Err(InvalidQuantity) }
    }

    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = InvalidQuantity;

    fn try_from(pieces: i64) -> Result<Self, Self::Error> {
        u32::try_from(pieces).map_err(|_| InvalidQuantity).and_then(Self::new)
    }
}

impl From<Quantity> for u32 {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts the writes to an entity, starting at one. A projection keeps the highest version it has seen.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    ToSchema,
)]
#[serde(try_from = "i64", into = "i64")]
#[schemars(with = "i64", extend("minimum" = 1))]
#[schema(value_type = i64, minimum = 1)]
pub struct Version(i64);

/// The number is not a valid version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a version is a whole number from 1")]
pub struct InvalidVersion;

impl Version {
    /// The version of a new entity.
    pub const FIRST: Self = Self(1);

    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Version {
    type Error = InvalidVersion;

    fn try_from(number: i64) -> Result<Self, Self::Error> {
        if number >= 1 { Ok(Self(number)) } else { Err(InvalidVersion) }
    }
}

impl From<Version> for i64 {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Quantity, Version};

    #[test]
    fn zero_negative_and_huge_quantities_are_rejected() {
        for bad in ["0", "-1", "1000001", "1.5", "99999999999999999999"] {
            assert!(serde_json::from_str::<Quantity>(bad).is_err(), "{bad}");
        }
        assert_eq!(serde_json::from_str::<Quantity>("7").unwrap().get(), 7);
    }

    #[test]
    fn versions_start_at_one() {
        assert!(Version::try_from(0).is_err());
        assert_eq!(Version::FIRST.next().get(), 2);
    }
}
