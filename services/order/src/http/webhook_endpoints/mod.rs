//! Endpoints that receive webhooks of this service.

pub(super) mod create_webhook_endpoint;
pub(super) mod delete_webhook_endpoint;
mod delivery_body;
mod endpoint_body;
mod endpoint_draft;
pub(super) mod get_webhook_endpoint;
pub(super) mod list_webhook_deliveries;
pub(super) mod list_webhook_endpoints;
pub(super) mod redeliver_webhook;
pub(super) mod resume_webhook_endpoint;
pub(super) mod rotate_webhook_secret;
pub(super) mod test_webhook_endpoint;
pub(super) mod update_webhook_endpoint;

use problem::Problem;
use vocabulary::WebhookEndpointId;

/// 404 for an endpoint.
fn endpoint_not_found(endpoint: WebhookEndpointId) -> Problem {
    Problem::not_found(format_args!("webhook endpoint {endpoint}"))
}
