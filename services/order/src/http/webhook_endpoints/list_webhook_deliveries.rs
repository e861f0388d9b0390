//! `GET /v1/webhook-endpoints/{id}/deliveries`

use axum::extract::State;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use messaging::Outbox;
use problem::{Json, Path, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vocabulary::WebhookEndpointId;

use super::{
    delivery_body::{DeliveryStatusBody, WebhookDeliveryBody},
    endpoint_not_found,
};
use crate::{
    http::page_limit::{invalid_parameter, page_limit},
    storage::{webhook_endpoints, webhook_log},
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListWebhookDeliveriesQuery {
    /// Only deliveries with this status.
    status: Option<DeliveryStatusBody>,
    /// The maximum number of deliveries: 1 to 100, default 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// A page of deliveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookDeliveryPage {
    items: Vec<WebhookDeliveryBody>,
    /// Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the deliveries to an endpoint, newest first
///
/// They are kept for seven days.
#[utoipa::path(
    get, path = "/v1/webhook-endpoints/{id}/deliveries", tag = "webhook endpoints",
    params(("id" = WebhookEndpointId, Path), ListWebhookDeliveriesQuery),
    responses(
        (status = 200, body = WebhookDeliveryPage),
        (status = 404, body = Problem, description = "`not_found`"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn list_webhook_deliveries(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<WebhookEndpointId>,
    Query(query): Query<ListWebhookDeliveriesQuery>,
) -> Result<Json<WebhookDeliveryPage>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let limit = page_limit(query.limit)?;
    let before = query.cursor.as_deref().map(decode_cursor).transpose()?;
    let mut connection = outbox.pool().acquire().await?;
    if webhook_endpoints::get(&mut connection, id).await?.is_none() {
        return Err(endpoint_not_found(id));
    }
    let status = query.status.map(Into::into);
    // One more than the limit tells whether there is another page.
    let mut deliveries =
        webhook_log::list(&mut connection, id, status, before, i64::from(limit) + 1).await?;
    let has_more = deliveries.len() > usize::from(limit);
    deliveries.truncate(limit.into());
    let last = deliveries.last().filter(|_| has_more);
    let next_cursor = last.map(|last| URL_SAFE_NO_PAD.encode(last.position.to_be_bytes()));
    let items = deliveries.into_iter().map(WebhookDeliveryBody::from).collect();
    Ok(Json(WebhookDeliveryPage { items, next_cursor }))
}

fn decode_cursor(cursor: &str) -> Result<i64, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let position = bytes.and_then(|bytes| Some(i64::from_be_bytes(bytes.try_into().ok()?)));
    position.ok_or_else(|| {
        invalid_parameter("cursor", "must be a `next_cursor` of this list".to_owned())
    })
}
