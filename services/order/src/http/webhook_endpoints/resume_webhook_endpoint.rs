//! `POST /v1/webhook-endpoints/{id}/resume`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::WebhookEndpointId;

use super::{endpoint_body::WebhookEndpointBody, endpoint_not_found};
use crate::app::{order_process::OrderProcess, resume_webhook_endpoint as resume};

/// Resume an endpoint that is paused or disabled
///
/// What waits for a paused endpoint is sent at once. A disabled one receives what commits after this answer; what it missed
/// can be redelivered if it is in the log.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/resume", tag = "webhook endpoints",
    params(("id" = WebhookEndpointId, Path)),
    responses(
        (status = 200, body = WebhookEndpointBody),
        (status = 404, body = Problem, description = "`not_found`"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn resume_webhook_endpoint(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path(id): Path<WebhookEndpointId>,
) -> Result<Json<WebhookEndpointBody>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut tx = outbox.begin().await?;
    let resumed = resume::resume_webhook_endpoint(&mut tx, process.webhook_waker(), id).await?;
    let endpoint = resumed.ok_or_else(|| endpoint_not_found(id))?;
    tx.commit().await?;
    Ok(Json(endpoint.into()))
}
