//! `GET /v1/webhook-endpoints/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::WebhookEndpointId;

use super::{endpoint_body::WebhookEndpointBody, endpoint_not_found};
use crate::storage::webhook_endpoints;

/// Get an endpoint that receives webhooks
#[utoipa::path(
    get, path = "/v1/webhook-endpoints/{id}", tag = "webhook endpoints", params(("id" = WebhookEndpointId, Path)),
    responses(
        (status = 200, body = WebhookEndpointBody),
        (status = 404, body = Problem, description = "`not_found`"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn get_webhook_endpoint(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<WebhookEndpointId>,
) -> Result<Json<WebhookEndpointBody>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut connection = outbox.pool().acquire().await?;
    let endpoint = webhook_endpoints::get(&mut connection, id).await?;
    Ok(Json(endpoint.ok_or_else(|| endpoint_not_found(id))?.into()))
}
