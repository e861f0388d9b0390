//! `GET /v1/webhook-endpoints`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Problem};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use super::endpoint_body::WebhookEndpointBody;
use crate::storage::webhook_endpoints;

/// All endpoints, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookEndpointList {
    items: Vec<WebhookEndpointBody>,
}

/// List the endpoints that receive webhooks
///
/// There are 20 at most, so the list has one page.
#[utoipa::path(
    get, path = "/v1/webhook-endpoints", tag = "webhook endpoints",
    responses((status = 200, body = WebhookEndpointList)), security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn list_webhook_endpoints(
    caller: Caller,
    State(outbox): State<Outbox>,
) -> Result<Json<WebhookEndpointList>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut connection = outbox.pool().acquire().await?;
    let endpoints = webhook_endpoints::list(&mut connection).await?;
    let items = endpoints.into_iter().map(WebhookEndpointBody::from).collect();
    Ok(Json(WebhookEndpointList { items }))
}
