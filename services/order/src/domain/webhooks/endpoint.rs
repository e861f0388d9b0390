//! An endpoint that receives webhooks.

use chrono::{DateTime, Utc};
use vocabulary::WebhookEndpointId;

use super::{
    endpoint_health::EndpointHealth, endpoint_url::EndpointUrl, event_type::WebhookEventType,
};

/// The maximum number of endpoints.
pub(crate) const MAX_ENDPOINTS: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebhookEndpoint {
    pub(crate) id: WebhookEndpointId,
    pub(crate) url: EndpointUrl,
    pub(crate) description: String,
    /// Sorted, each once, never empty.
    pub(crate) event_types: Vec<WebhookEventType>,
    pub(crate) health: EndpointHealth,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) changed_at: DateTime<Utc>,
}
