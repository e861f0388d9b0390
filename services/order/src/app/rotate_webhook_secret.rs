//! Gives an endpoint a new key. The old one signs as well for a day.

use messaging::Transaction;
use runtime::clock;
use vocabulary::WebhookEndpointId;

use super::create_webhook_endpoint::new_key;
use crate::{
    domain::webhooks::{EndpointKeys, WebhookEndpoint},
    storage::webhook_endpoints,
};

/// `None` if the endpoint does not exist.
pub(crate) async fn rotate_webhook_secret(
    tx: &mut Transaction,
    id: WebhookEndpointId,
) -> Result<Option<(WebhookEndpoint, EndpointKeys)>, sqlx::Error> {
    let Some(endpoint) = webhook_endpoints::lock(tx, id).await? else { return Ok(None) };
    let Some(keys) = webhook_endpoints::keys(tx, id).await? else { return Ok(None) };
    let now = clock::now();
    let keys = keys.rotated(new_key(), now);
    webhook_endpoints::set_keys(tx, id, &keys, now).await?;
    Ok(Some((WebhookEndpoint { changed_at: now, ..endpoint }, keys)))
}
