//! Said by `behavior-analytics`, and the user events of its stream.

use chrono::{DateTime, Utc};
use envelope::event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;
use vocabulary::{ProductId, Version};

/// The aggregate of popularity.
pub const POPULARITY: &str = "popularity";

/// The stream that holds every accepted user event, in the order of acceptance.
pub const USER_EVENTS_STREAM: &str = "behavior-analytics.user-events";

/// The name and version of what the stream holds: a message of it is a JSON array of [`UserEventV1`].
pub const USER_EVENT: &str = "user_event.v1";

/// How much a product is sought after has changed enough to matter for ranking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PopularityChangedV1 {
    /// Which product.
    pub product_id: ProductId,
    /// Counts up with every change of this product's popularity.
    pub version: Version,
    /// A decayed count of what people did with it: zero where nobody did anything lately.
    pub score: f64,
    /// When.
    pub changed_at: DateTime<Utc>,
}

event!(PopularityChangedV1, "popularity.changed.v1", POPULARITY, event => event.product_id.to_string());

/// One user event as it stands in the stream: it was checked at the door.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UserEventV1 {
    /// Given by the client: the same event sent twice counts once.
    pub event_id: Uuid,
    /// `product_viewed` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who, as far as the shop knows them.
    pub visitor_id: String,
    /// During which visit.
    pub session_id: String,
    /// With which product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_id: Option<ProductId>,
    /// When, by the client's clock.
    pub occurred_at: DateTime<Utc>,
    /// When the shop took it in.
    pub received_at: DateTime<Utc>,
    /// Whatever else belongs to the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub properties: Option<Box<RawValue>>,
}
