//! How many slot groups the aggregates have: a setting that all services share.

use std::{collections::BTreeMap, str::FromStr};

use envelope::SLOTS;

/// The number of slot groups of an aggregate that the setting does not name.
pub const DEFAULT_SLOT_GROUPS: u8 = 2;

/// The number of slot groups of each aggregate. Each subscription to an aggregate has as many quorum queues.
///
/// It is written `order=4,product=8`. Numbers are powers of two up to the number of slots, so a group of one setting is divided among
/// whole groups of a larger one. All services need the same setting: publishers send missing messages to the queues of a slot.
///
/// ```
/// let groups: messaging::SlotGroups = "order=4,product=8".parse()?;
/// assert_eq!((groups.of("order"), groups.of("stock")), (4, 2));
/// # Ok::<_, messaging::InvalidSlotGroups>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotGroups(BTreeMap<String, u8>);

/// Why a text is no setting of slot groups.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSlotGroups {
    #[error("{0:?} is not AGGREGATE=NUMBER, as in order=4,product=8")]
    NoPair(String),
    #[error("{aggregate} cannot have {number:?} slot groups, but 1, 2, 4, 8 or 16")]
    Number { aggregate: String, number: String },
    #[error("{0} is named twice")]
    Repeated(String),
}

impl SlotGroups {
    /// The number of slot groups of an aggregate.
    pub fn of(&self, aggregate: &str) -> u8 {
        self.0.get(aggregate).copied().unwrap_or(DEFAULT_SLOT_GROUPS)
    }

    /// The aggregates that the setting names.
    pub fn aggregates(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl FromStr for SlotGroups {
    type Err = InvalidSlotGroups;

    /// Reads a setting; an empty one names no aggregate.
    fn from_str(text: &str) -> Result<Self, InvalidSlotGroups> {
        let mut all = BTreeMap::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let no_pair = || InvalidSlotGroups::NoPair(pair.to_owned());
            let (aggregate, number) = pair.split_once('=').ok_or_else(no_pair)?;
            let (aggregate, number) = (aggregate.trim(), number.trim());
            let is_name = |symbol: char| symbol.is_ascii_alphanumeric() || "-_".contains(symbol);
            if aggregate.is_empty() || !aggregate.chars().all(is_name) {
                return Err(no_pair());
            }
            let is_possible = |groups: &u8| groups.is_power_of_two() && *groups <= SLOTS;
            let Some(groups) = number.parse().ok().filter(is_possible) else {
                let (aggregate, number) = (aggregate.to_owned(), number.to_owned());
                return Err(InvalidSlotGroups::Number { aggregate, number });
            };
            if all.insert(aggregate.to_owned(), groups).is_some() {
                return Err(InvalidSlotGroups::Repeated(aggregate.to_owned()));
            }
        }
        Ok(Self(all))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prop_assert, proptest};

    use super::SlotGroups;

    #[test]
    fn a_setting_names_aggregates() {
        let groups: SlotGroups = " order=4, product=16,stock=1 ".parse().unwrap();
        let of = ["order", "product", "stock", "reservation"].map(|aggregate| groups.of(aggregate));
        assert_eq!(of, [4, 16, 1, 2]);
        assert_eq!(groups.aggregates().collect::<Vec<_>>(), ["order", "product", "stock"]);
        assert_eq!("".parse(), Ok(SlotGroups::default()));
    }

    #[test]
    fn an_invalid_setting_names_what_is_wrong() {
        for (text, message) in [
            ("order", r#""order" is not AGGREGATE=NUMBER, as in order=4,product=8"#),
            ("4", r#""4" is not AGGREGATE=NUMBER, as in order=4,product=8"#),
            ("=4", r#""=4" is not AGGREGATE=NUMBER, as in order=4,product=8"#),
            ("an order=4", r#""an order=4" is not AGGREGATE=NUMBER, as in order=4,product=8"#),
            ("order=3", r#"order cannot have "3" slot groups, but 1, 2, 4, 8 or 16"#),
            ("order=0", r#"order cannot have "0" slot groups, but 1, 2, 4, 8 or 16"#),
            ("order=32", r#"order cannot have "32" slot groups, but 1, 2, 4, 8 or 16"#),
            ("order=four", r#"order cannot have "four" slot groups, but 1, 2, 4, 8 or 16"#),
            ("order=2,order=4", "order is named twice"),
        ] {
            let error = text.parse::<SlotGroups>().unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_texts_as_slot_groups(text in "\\PC{0,40}|([a-z]{0,5}=[0-9]{0,3},?){0,4}") {
            if let Ok(groups) = text.parse::<SlotGroups>() {
                for aggregate in groups.aggregates() {
                    prop_assert!([1, 2, 4, 8, 16].contains(&groups.of(aggregate)));
                }
            }
        }
    }
}
