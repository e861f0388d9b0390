//! `DELETE /v1/webhook-endpoints/{id}`

use axum::{extract::State, http::StatusCode};
use messaging::Outbox;
use problem::{Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::WebhookEndpointId;

use super::endpoint_not_found;
use crate::storage::webhook_endpoints;

/// Delete an endpoint that receives webhooks
///
/// What waits for it is not sent.
#[utoipa::path(
    delete, path = "/v1/webhook-endpoints/{id}", tag = "webhook endpoints", params(("id" = WebhookEndpointId, Path)),
    responses((status = 204), (status = 404, body = Problem, description = "`not_found`")),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn delete_webhook_endpoint(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<WebhookEndpointId>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut connection = outbox.pool().acquire().await?;
    if webhook_endpoints::delete(&mut connection, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(endpoint_not_found(id))
    }
}
