//! Events of `behavior-analytics`, and the user events of its stream.

use chrono::{DateTime, Utc};
use envelope::event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;
use vocabulary::{CustomerId, ProductId, Version};

/// The aggregate of popularity; the key is the product.
pub const POPULARITY: &str = "popularity";

/// The aggregate of completed erasures; the key is the customer.
pub const ERASURE: &str = "erasure";

/// The stream of all accepted user events, in the order of acceptance.
pub const USER_EVENTS_STREAM: &str = "behavior-analytics.user-events";

/// The name and version of the stream's contract: a message is a JSON array of [`UserEventV1`].
pub const USER_EVENT: &str = "user_event.v1";

/// The popularity of a product has changed enough to affect its ranking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PopularityChangedV1 {
    pub product_id: ProductId,
    /// Increases with every event of the product's popularity.
    pub version: Version,
    /// A decayed count of user events: 0 if there were none recently.
    pub score: f64,
    pub changed_at: DateTime<Utc>,
}

event!(PopularityChangedV1, "popularity.changed.v1", POPULARITY, event => event.product_id.to_string());

/// The events and baskets of an erased customer are deleted, and what arrives later is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErasureCompletedV1 {
    pub customer_id: CustomerId,
    pub completed_at: DateTime<Utc>,
}

event!(ErasureCompletedV1, "erasure.completed.v1", ERASURE, event => event.customer_id.to_string());

/// A user event, validated before it was written to the stream.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UserEventV1 {
    /// Chosen by the client; events with the same id count once.
    pub event_id: Uuid,
    /// Such as `product_viewed`.
    #[serde(rename = "type")]
    pub kind: String,
    pub visitor_id: String,
    pub session_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ProductId>,
    /// By the client's clock, corrected if the client sent the time of sending.
    pub occurred_at: DateTime<Utc>,
    /// By the server's clock.
    pub received_at: DateTime<Utc>,
    /// Further properties of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub properties: Option<Box<RawValue>>,
    /// Whether the visitor's id had a signature of the service.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
    /// Whether the visitor has agreed to be measured. If not, ids and properties of the visitor were removed.
    #[serde(default = "agreed", skip_serializing_if = "Clone::clone")]
    pub consent: bool,
    /// Of the visitor's browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The visitor's place among those of its address within ten minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visitor_place: Option<u32>,
    /// What was added to the client's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
}

const fn agreed() -> bool {
    true
}
