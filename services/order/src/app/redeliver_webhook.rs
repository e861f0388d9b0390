//! Sends a message to an endpoint again.

use messaging::Transaction;
use runtime::clock;
use vocabulary::{WebhookEndpointId, WebhookMessageId};

use super::worker_waker::WorkerWaker;
use crate::storage::{webhook_endpoints, webhook_log};

#[derive(Debug, thiserror::Error)]
pub(crate) enum RedeliverWebhookError {
    #[error("the endpoint does not exist")]
    UnknownEndpoint,
    #[error("the endpoint is disabled")]
    Disabled,
    #[error("the message was not sent to this endpoint")]
    UnknownDelivery,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

pub(crate) async fn redeliver_webhook(
    tx: &mut Transaction,
    waker: &WorkerWaker,
    endpoint: WebhookEndpointId,
    message: WebhookMessageId,
) -> Result<(), RedeliverWebhookError> {
    let found = webhook_endpoints::get(tx, endpoint).await?;
    let found = found.ok_or(RedeliverWebhookError::UnknownEndpoint)?;
    if found.health.is_disabled() {
        return Err(RedeliverWebhookError::Disabled);
    }
    if !webhook_log::redeliver(tx, endpoint, message, clock::now()).await? {
        return Err(RedeliverWebhookError::UnknownDelivery);
    }
    waker.wake_after_commit(tx);
    Ok(())
}
