//! Creates an endpoint that receives webhooks.

use messaging::Transaction;
use runtime::clock;
use vocabulary::WebhookEndpointId;

use crate::{
    domain::webhooks::{
        EndpointHealth, EndpointUrl, MAX_ENDPOINTS, SigningKey, WebhookEndpoint, WebhookEventType,
    },
    storage::webhook_endpoints,
};

/// The bytes of a new key.
const KEY_BYTES: usize = 32;

#[derive(Debug)]
pub(crate) struct CreateWebhookEndpointCommand {
    pub(crate) url: EndpointUrl,
    pub(crate) description: String,
    pub(crate) event_types: Vec<WebhookEventType>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateWebhookEndpointError {
    #[error("the maximum number of endpoints exists")]
    TooMany,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

pub(crate) async fn create_webhook_endpoint(
    tx: &mut Transaction,
    command: CreateWebhookEndpointCommand,
) -> Result<(WebhookEndpoint, SigningKey), CreateWebhookEndpointError> {
    let count = webhook_endpoints::lock_and_count(tx).await?;
    if usize::try_from(count).unwrap_or(usize::MAX) >= MAX_ENDPOINTS {
        return Err(CreateWebhookEndpointError::TooMany);
    }
    let CreateWebhookEndpointCommand { url, description, event_types } = command;
    let now = clock::now();
    let endpoint = WebhookEndpoint {
        id: WebhookEndpointId::new(),
        url,
        description,
        event_types,
        health: EndpointHealth::default(),
        created_at: now,
        changed_at: now,
    };
    let key = new_key();
    webhook_endpoints::insert(tx, &endpoint, &key).await?;
    Ok((endpoint, key))
}

/// A key from the generator of the operating system, by way of the thread's.
pub(super) fn new_key() -> SigningKey {
    SigningKey::new(rand::random::<[u8; KEY_BYTES]>().to_vec())
}
