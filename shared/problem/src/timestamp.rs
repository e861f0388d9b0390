//! Instants in requests: RFC 3339 has years of four digits, and PostgreSQL cannot store all others that parsers accept.

use chrono::{DateTime, Datelike as _, Utc};
use serde::{Deserialize as _, Deserializer, de};

/// Whether the year of an instant has four digits and is not zero.
pub fn is_storable(instant: DateTime<Utc>) -> bool {
    (1..=9_999).contains(&instant.year())
}

/// Reads an optional instant, for `#[serde(default, deserialize_with = "problem::timestamp::optional")]`.
pub fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    Option::deserialize(deserializer)?.map(check).transpose()
}

/// Reads an instant, for `#[serde(deserialize_with = "problem::timestamp::required")]`.
pub fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    check(DateTime::deserialize(deserializer)?)
}

fn check<E: de::Error>(instant: DateTime<Utc>) -> Result<DateTime<Utc>, E> {
    if is_storable(instant) {
        Ok(instant)
    } else {
        Err(E::custom("must be in the years 1 to 9999"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{optional, required};

    #[test]
    fn years_of_four_digits_are_storable() {
        for storable in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
            assert!(required(json!(storable)).is_ok(), "{storable}");
            assert!(optional(json!(storable)).unwrap().is_some(), "{storable}");
        }
        let others = ["-262143-01-01T00:00:00Z", "0000-12-31T23:59:59Z", "+10000-01-01T00:00:00Z"];
        for other in others {
            assert!(required(json!(other)).is_err() && optional(json!(other)).is_err(), "{other}");
        }
        assert_eq!(optional(json!(null)).unwrap(), None);
    }
}
