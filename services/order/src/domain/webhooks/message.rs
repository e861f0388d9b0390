//! A message to the endpoints that subscribe to its type.

use chrono::{DateTime, Utc};
use vocabulary::WebhookMessageId;

use super::event_type::WebhookEventType;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebhookMessage {
    pub(crate) id: WebhookMessageId,
    pub(crate) event_type: WebhookEventType,
    /// The messages of one key are delivered in their order.
    pub(crate) key: String,
    /// The same bytes in every attempt.
    pub(crate) body: Vec<u8>,
    pub(crate) occurred_at: DateTime<Utc>,
}
