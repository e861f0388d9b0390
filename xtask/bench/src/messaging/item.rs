//! The events of the bench: three types about items, each about half a kibibyte with its envelope.

use std::borrow::Cow;

use envelope::Event;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::services::PADDING;

/// The number of items with events.
const ITEMS: u64 = 5_000;

/// An event about an item.
pub(super) trait ItemEvent: Event {
    fn new(item: String, number: u64) -> Self;
    /// The number of the event within the bench.
    fn number(&self) -> u64;
}

macro_rules! events {
    ($($name:ident $kind:literal)*) => {$(
        #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
        pub(super) struct $name {
            item: String,
            number: u64,
            note: String,
        }

        impl Event for $name {
            const TYPE: &'static str = $kind;
            const AGGREGATE: &'static str = "item";

            fn key(&self) -> Cow<'_, str> {
                self.item.as_str().into()
            }
        }

        impl ItemEvent for $name {
            fn new(item: String, number: u64) -> Self {
                Self { item, number, note: PADDING.to_owned() }
            }

            fn number(&self) -> u64 {
                self.number
            }
        }
    )*};
}

events! {
    ItemAdded "item.added.v1"
    ItemChanged "item.changed.v1"
    ItemViewed "item.seen.v1"
}

/// The items with events: as many in every bench, spread evenly over all that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Items {
    stride: u64,
}

impl Items {
    /// All items have events.
    pub(super) const ALL: Self = Self { stride: 1 };

    /// The items with events among the `known` ones `item-0`, `item-1` …
    pub(super) const fn among(known: u64) -> Self {
        let stride = known / ITEMS;
        Self { stride: if stride == 0 { 1 } else { stride } }
    }

    /// A random one. The same numbers choose the same places.
    pub(super) fn random(self, rng: &mut impl Rng) -> String {
        format!("item-{}", rng.random_range(0..ITEMS) * self.stride)
    }
}

/// Updates an item: the business write of a transaction.
pub(super) async fn update_item(
    tx: &mut messaging::Transaction,
    item: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into item (id, version) values ($1, 1)
         on conflict (id) do update set version = item.version + 1",
    )
    .bind(item)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Emits event `number` about an item; the types alternate.
pub(super) fn emit_one(
    tx: &mut messaging::Transaction,
    item: String,
    number: u64,
) -> Result<(), messaging::Error> {
    match number % 3 {
        0 => tx.emit(&ItemAdded::new(item, number)),
        1 => tx.emit(&ItemChanged::new(item, number)),
        _ => tx.emit(&ItemViewed::new(item, number)),
    }
    .map(drop)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::{SeedableRng as _, rngs::StdRng};

    use super::{ITEMS, Items};

    #[test]
    fn items_with_events_are_spread_over_the_known_ones() {
        assert_eq!(Items::among(ITEMS), Items::ALL);
        assert_eq!(Items::among(1), Items::ALL);
        let numbers = |items: Items| {
            let mut rng = StdRng::seed_from_u64(0);
            let number = |item: String| item.strip_prefix("item-")?.parse::<u64>().ok();
            (0..100_000).filter_map(|_| number(items.random(&mut rng))).collect::<BTreeSet<_>>()
        };
        let spread = numbers(Items::among(1_000_000));
        assert_eq!(spread.len(), numbers(Items::ALL).len());
        assert!(spread.iter().all(|number| number.is_multiple_of(200)));
        assert!(spread.last().is_some_and(|last| (990_000..1_000_000).contains(last)));
    }
}
