//! `POST /v1/webhook-endpoints/{id}/rotate-secret`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::WebhookEndpointId;

use super::{endpoint_body::EndpointWithSecretBody, endpoint_not_found};
use crate::app::rotate_webhook_secret as rotate;

/// Rotate the secret of an endpoint that receives webhooks
///
/// For 24 hours each message has two signatures: with the new secret, and with the one before.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/rotate-secret", tag = "webhook endpoints",
    params(("id" = WebhookEndpointId, Path)),
    responses(
        (status = 200, body = EndpointWithSecretBody),
        (status = 404, body = Problem, description = "`not_found`"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn rotate_webhook_secret(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<WebhookEndpointId>,
) -> Result<Json<EndpointWithSecretBody>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut tx = outbox.begin().await?;
    let rotated = rotate::rotate_webhook_secret(&mut tx, id).await?;
    let (endpoint, keys) = rotated.ok_or_else(|| endpoint_not_found(id))?;
    tx.commit().await?;
    Ok(Json(EndpointWithSecretBody::rotated(endpoint, &keys)))
}
