//! Sends a test message to an endpoint, and tells what happened.

use bytes::Bytes;
use runtime::clock;
use sqlx::PgPool;
use vocabulary::{WebhookEndpointId, WebhookMessageId};

use super::webhook_client::{WebhookClient, WebhookRequest};
use crate::{
    domain::webhooks::{Attempt, AttemptResult, DeliveryStatus},
    publishes::webhook_message::test_message,
    storage::{webhook_endpoints, webhook_log},
};

/// Sends once, also to an endpoint that is paused or disabled, and changes nothing but the log. `None` if the endpoint does
/// not exist.
pub(crate) async fn test_webhook_endpoint(
    pool: &PgPool,
    client: &WebhookClient,
    endpoint: WebhookEndpointId,
) -> Result<Option<(WebhookMessageId, Attempt)>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let found = webhook_endpoints::get(&mut connection, endpoint).await?;
    let keys = webhook_endpoints::keys(&mut connection, endpoint).await?;
    let Some((found, keys)) = found.zip(keys) else { return Ok(None) };
    // The endpoint may be slow.
    drop(connection);
    let id = WebhookMessageId::new();
    let (event_type, body) = test_message(clock::now());
    let body = Bytes::from(body);
    let request = WebhookRequest { url: &found.url, keys: &keys, id, body: body.clone() };
    let attempt = client.send(request).await;
    let status = match attempt.result {
        AttemptResult::Delivered { .. } => DeliveryStatus::Delivered,
        AttemptResult::Gone | AttemptResult::Failed(_) => DeliveryStatus::Failed,
    };
    let mut connection = pool.acquire().await?;
    let message = (event_type, &*body);
    webhook_log::insert_sent(&mut connection, endpoint, id, message, &attempt, status).await?;
    Ok(Some((id, attempt)))
}
