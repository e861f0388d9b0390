//! Snapshots of a publisher: all its keys with their sequence numbers and full state, page by page.
//!
//! State and number of a key must be consistent, so the publisher reads both in one statement: its own table
//! joined with `messaging.sequence`, which holds the number of the last event of each key. A consumer that
//! starts from a snapshot continues with the events after that number, so no event is missing or applied
//! twice.

use envelope::Event;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::Error;

/// One page of a snapshot.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Page {
    /// The keys of this page; each key is once in the snapshot. It must contain all keys that ever had an
    /// event, deleted ones with their deletion event: a replay would wait in vain for a missing key and fail.
    pub items: Vec<Entry>,
    /// The position of the next page; `None` after the last.
    pub next: Option<String>,
}

/// One key of a snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub key: String,
    /// The number of its last event, from 1.
    pub sequence: i64,
    /// The event type of `data`.
    pub kind: String,
    /// An event with the full state as of that number.
    pub data: Box<RawValue>,
}

impl Entry {
    /// The entry of the key of `event`, which must contain its full state up to the event number `sequence`.
    pub fn of<E: Event>(event: &E, sequence: i64) -> Result<Self, Error> {
        Ok(Self {
            key: event.key().into_owned(),
            sequence,
            kind: E::TYPE.to_owned(),
            data: serde_json::value::to_raw_value(event)?,
        })
    }
}
