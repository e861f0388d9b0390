//! Makes a paused or disabled endpoint active again.

use messaging::Transaction;
use runtime::clock;
use vocabulary::WebhookEndpointId;

use super::worker_waker::WorkerWaker;
use crate::{
    domain::webhooks::{EndpointHealth, WebhookEndpoint},
    storage::{webhook_deliveries, webhook_endpoints},
};

/// What waits for the endpoint is sent at once. `None` if the endpoint does not exist.
pub(crate) async fn resume_webhook_endpoint(
    tx: &mut Transaction,
    waker: &WorkerWaker,
    id: WebhookEndpointId,
) -> Result<Option<WebhookEndpoint>, sqlx::Error> {
    let Some(endpoint) = webhook_endpoints::lock(tx, id).await? else { return Ok(None) };
    let health = EndpointHealth::default();
    webhook_endpoints::set_health(tx, id, health).await?;
    webhook_deliveries::make_due(tx, id, clock::now()).await?;
    waker.wake_after_commit(tx);
    Ok(Some(WebhookEndpoint { health, ..endpoint }))
}
