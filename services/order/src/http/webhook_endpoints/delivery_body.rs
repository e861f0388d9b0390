//! Deliveries and attempts in responses.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vocabulary::WebhookMessageId;

use crate::{
    domain::webhooks::{Attempt, DeliveryStatus},
    storage::webhook_log::{LoggedAttempt, LoggedDelivery},
};

/// The delivery of a message to an endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub(crate) struct WebhookDeliveryBody {
    /// The `webhook-id` of every attempt.
    message_id: WebhookMessageId,
    event_type: String,
    /// The messages of one key are sent in their order: the id of the order, the SKU, or the id of the product.
    key: String,
    status: DeliveryStatusBody,
    /// When the reported fact happened.
    occurred_at: DateTime<Utc>,
    /// Attempts since it was written, or requested again.
    attempts: u32,
    /// When a pending delivery is tried next, at the earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
    /// The last 20 attempts, oldest first.
    history: Vec<WebhookAttemptBody>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookDeliveryStatus)]
pub(super) enum DeliveryStatusBody {
    /// Waits for its next attempt, or for an earlier message of its key.
    Pending,
    Delivered,
    /// Given up after the last attempt.
    Failed,
    /// Not sent, because the endpoint was disabled.
    Discarded,
}

/// An attempt to deliver a message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookAttempt)]
pub(super) struct WebhookAttemptBody {
    at: DateTime<Utc>,
    /// `delivered`, `gone`, `status`, `redirect`, `timeout`, `address_not_allowed` or `no_answer`.
    result: String,
    /// What the endpoint answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<u16>,
    /// Why the attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    duration_ms: u64,
}

impl From<LoggedDelivery> for WebhookDeliveryBody {
    fn from(delivery: LoggedDelivery) -> Self {
        let is_pending = delivery.status == DeliveryStatus::Pending;
        Self {
            message_id: delivery.message,
            event_type: delivery.event_type,
            key: delivery.key,
            status: delivery.status.into(),
            occurred_at: delivery.occurred_at,
            attempts: delivery.attempts.try_into().unwrap_or_default(),
            next_attempt_at: is_pending.then_some(delivery.next_attempt_at),
            finished_at: delivery.finished_at,
            history: delivery.history.into_iter().map(WebhookAttemptBody::from).collect(),
        }
    }
}

impl From<LoggedAttempt> for WebhookAttemptBody {
    fn from(attempt: LoggedAttempt) -> Self {
        let LoggedAttempt { at, result, status_code, error, duration_ms } = attempt;
        Self { at, result, status_code, error, duration_ms }
    }
}

impl From<&Attempt> for WebhookAttemptBody {
    fn from(Attempt { at, duration, result }: &Attempt) -> Self {
        Self {
            at: *at,
            result: result.as_str().to_owned(),
            status_code: result.http_status(),
            error: result.error(),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl From<DeliveryStatus> for DeliveryStatusBody {
    fn from(status: DeliveryStatus) -> Self {
        match status {
            DeliveryStatus::Pending => Self::Pending,
            DeliveryStatus::Delivered => Self::Delivered,
            DeliveryStatus::Failed => Self::Failed,
            DeliveryStatus::Discarded => Self::Discarded,
        }
    }
}

impl From<DeliveryStatusBody> for DeliveryStatus {
    fn from(status: DeliveryStatusBody) -> Self {
        match status {
            DeliveryStatusBody::Pending => Self::Pending,
            DeliveryStatusBody::Delivered => Self::Delivered,
            DeliveryStatusBody::Failed => Self::Failed,
            DeliveryStatusBody::Discarded => Self::Discarded,
        }
    }
}
