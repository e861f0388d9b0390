//! An endpoint in responses.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::WebhookEndpointId;

use crate::domain::webhooks::{
    EndpointKeys, EndpointStatus, SigningKey, WebhookEndpoint, WebhookEventType,
};

/// An endpoint that receives webhooks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub(crate) struct WebhookEndpointBody {
    id: WebhookEndpointId,
    url: String,
    description: String,
    event_types: Vec<&'static str>,
    /// `active`; `paused`, while it seems to be dead; or `disabled`, until it is resumed.
    status: &'static str,
    /// Why it is disabled: `gone` (it answered 410) or `failing` (for five days).
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<&'static str>,
    /// When a paused endpoint gets the next attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_probe_at: Option<DateTime<Utc>>,
    /// The time of the first failure since the last success.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<DateTime<Utc>>,
    /// Failed attempts since the last success.
    failures: u32,
    created_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
}

/// An endpoint with its secret, which no other response contains.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEndpointWithSecret)]
pub(crate) struct EndpointWithSecretBody {
    #[serde(flatten)]
    endpoint: WebhookEndpointBody,
    /// `whsec_` and the key in Base64. Signatures are made with the key.
    secret: String,
    /// Until then every message is signed with the secret before the rotation as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_expires_at: Option<DateTime<Utc>>,
}

impl EndpointWithSecretBody {
    pub(super) fn created(endpoint: WebhookEndpoint, key: &SigningKey) -> Self {
        let (endpoint, secret) = (endpoint.into(), key.to_secret());
        Self { endpoint, secret, previous_secret_expires_at: None }
    }

    pub(super) fn rotated(endpoint: WebhookEndpoint, keys: &EndpointKeys) -> Self {
        let previous_secret_expires_at = keys.previous.as_ref().map(|(_, expires_at)| *expires_at);
        Self { previous_secret_expires_at, ..Self::created(endpoint, &keys.current) }
    }
}

impl From<WebhookEndpoint> for WebhookEndpointBody {
    fn from(endpoint: WebhookEndpoint) -> Self {
        let WebhookEndpoint { id, url, description, event_types, health, created_at, changed_at } =
            endpoint;
        let (disabled_reason, next_probe_at) = match health.status {
            EndpointStatus::Active => (None, None),
            EndpointStatus::Paused { next_probe_at } => (None, Some(next_probe_at)),
            EndpointStatus::Disabled(reason) => (Some(reason.as_str()), None),
        };
        Self {
            id,
            url: url.as_str().to_owned(),
            description,
            event_types: event_types.into_iter().map(WebhookEventType::as_str).collect(),
            status: health.status.as_str(),
            disabled_reason,
            next_probe_at,
            failing_since: health.failing_since,
            failures: health.failures,
            created_at,
            changed_at,
        }
    }
}
