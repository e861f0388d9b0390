//! What is said in a bench: three types of events about items, each about half a kibibyte with its envelope.

use std::borrow::Cow;

use contracts::Event;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bench::services::NOTE;

/// How many items there are.
const ITEMS: u32 = 5_000;

/// An event about an item.
pub(super) trait About: Event {
    /// The event with this number, about this item.
    fn about(item: String, number: u64) -> Self;
    /// Its number within the bench.
    fn number(&self) -> u64;
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident $kind:literal)*) => {$(
        $(#[$doc])*
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

        impl About for $name {
            fn about(item: String, number: u64) -> Self {
                Self { item, number, note: NOTE.to_owned() }
            }

            fn number(&self) -> u64 {
                self.number
            }
        }
    )*};
}

events! {
    /// An item came.
    Added "item.added.v1"
    /// An item is another.
    Changed "item.changed.v1"
    /// An item was looked at.
    Seen "item.seen.v1"
}

/// Some item.
pub(super) fn some_item(rng: &mut impl Rng) -> String {
    format!("item-{}", rng.random_range(0..ITEMS))
}

/// Writes that `item` is another, as the business write of a transaction.
pub(super) async fn change_one(
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

/// Says event `number` about some item: each type in its turn.
pub(super) fn say_one(
    tx: &mut messaging::Transaction,
    item: String,
    number: u64,
) -> Result<(), messaging::Error> {
    match number % 3 {
        0 => tx.emit(&Added::about(item, number)),
        1 => tx.emit(&Changed::about(item, number)),
        _ => tx.emit(&Seen::about(item, number)),
    }
    .map(drop)
}
