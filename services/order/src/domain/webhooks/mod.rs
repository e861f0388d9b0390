//! Webhooks that this service sends, as pure decisions: what is signed, when an attempt is repeated, when an endpoint is
//! paused, and which addresses may be called.

mod address_rule;
mod attempt;
mod delivery_status;
mod endpoint;
mod endpoint_health;
mod endpoint_keys;
mod endpoint_url;
mod event_type;
mod message;
mod schedule;
mod signing_key;

pub(crate) use self::{
    address_rule::AddressRule,
    attempt::{Attempt, AttemptError, AttemptResult},
    delivery_status::DeliveryStatus,
    endpoint::{MAX_ENDPOINTS, WebhookEndpoint},
    endpoint_health::{EndpointHealth, EndpointStatus},
    endpoint_keys::EndpointKeys,
    endpoint_url::EndpointUrl,
    event_type::{SubscribedTypes, WebhookEventType},
    message::WebhookMessage,
    schedule::next_attempt,
    signing_key::{SigningKey, sign},
};
