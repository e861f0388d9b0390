//! The events of the bench: three types about items, each about half a kibibyte with its envelope.

use std::borrow::Cow;

use envelope::Event;
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::services::PADDING;

/// The number of items.
const ITEMS: u32 = 5_000;

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

pub(super) fn random_item(rng: &mut impl Rng) -> String {
    format!("item-{}", rng.random_range(0..ITEMS))
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
