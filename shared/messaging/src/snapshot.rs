//! What an owner tells of itself as a whole: a snapshot, page by page, of its keys with their numbers and their full state.
//!
//! State and number of a key must belong to one moment, so the owner reads both in one statement: its own table joined with
//! `messaging.sequence`, where the number of the last event of each key stands. Whoever begins with a snapshot takes the events of a
//! key that come behind its number, and none is missing and none is taken twice.

use envelope::Event;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Error;

/// A part of a snapshot.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Page {
    /// The keys of this page, each once in the whole snapshot. In the whole stand all keys that events were ever said of, those that are
    /// gone by the event that says so: of a key that is missing a replay waits for in vain, and gives up.
    pub items: Vec<Entry>,
    /// Where the next page begins; none after the last.
    pub next: Option<String>,
}

/// One key as its owner knows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The key within the aggregate.
    pub key: String,
    /// The number of its last event, from 1.
    pub sequence: i64,
    /// The type of `data`.
    pub kind: String,
    /// An event that says the full state as of that number.
    pub data: Box<RawValue>,
}

impl Entry {
    /// The entry of the key of `event`, which says all that its events up to number `sequence` have made of it.
    pub fn of<E: Event>(event: &E, sequence: i64) -> Result<Self, Error> {
        Ok(Self {
            key: event.key().into_owned(),
            sequence,
            kind: E::TYPE.to_owned(),
            data: serde_json::value::to_raw_value(event)?,
        })
    }
}
