#![doc = include_str!("../README.md")]

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The media type of a message, which is a JSON array of events.
pub const BATCH_CONTENT_TYPE: &str = "application/cloudevents-batch+json";

/// An event in the format of `CloudEvents` 1.0, as the suite sends it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Event {
    /// The version of the format, `1.0`.
    pub specversion: String,
    /// Unique per event; the same in every redelivery.
    pub id: Uuid,
    /// The publisher.
    pub source: String,
    /// The event type with its version, such as `product.changed.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The key: events of one key keep their order.
    pub subject: String,
    /// The time of the commit.
    pub time: DateTime<Utc>,
    /// The number of the event among those of its key, without gaps, in 19 digits.
    pub sequence: String,
    /// What the key identifies, such as `product`.
    pub aggregate: String,
    /// The content, as the schemas of the contracts describe it.
    pub data: serde_json::Value,
}
