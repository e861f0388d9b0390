//! `PATCH /v1/webhook-endpoints/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{Fields, Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    clock,
};
use serde::Deserialize;
use utoipa::ToSchema;
use vocabulary::WebhookEndpointId;

use super::{
    endpoint_body::WebhookEndpointBody,
    endpoint_draft::{parse_description, parse_event_types, parse_url},
    endpoint_not_found,
};
use crate::{
    app::webhook_client::WebhookClient,
    domain::webhooks::{AddressRule, WebhookEndpoint},
    storage::webhook_endpoints,
};

/// What changes; other fields stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookEndpointPatch {
    url: Option<String>,
    description: Option<String>,
    event_types: Option<Vec<String>>,
}

/// Update an endpoint that receives webhooks
///
/// What waits for it is sent to the new address.
#[utoipa::path(
    patch, path = "/v1/webhook-endpoints/{id}", tag = "webhook endpoints", request_body = WebhookEndpointPatch,
    params(("id" = WebhookEndpointId, Path)),
    responses(
        (status = 200, body = WebhookEndpointBody),
        (status = 404, body = Problem, description = "`not_found`"),
        (status = 422, body = Problem, description = "`validation_failed`: lists every invalid field"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn update_webhook_endpoint(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(client): State<WebhookClient>,
    Path(id): Path<WebhookEndpointId>,
    Json(patch): Json<WebhookEndpointPatch>,
) -> Result<Json<WebhookEndpointBody>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut tx = outbox.begin().await?;
    let endpoint = webhook_endpoints::lock(&mut tx, id).await?;
    let endpoint = endpoint.ok_or_else(|| endpoint_not_found(id))?;
    let endpoint = patch.apply(&endpoint, client.rule())?;
    webhook_endpoints::update(&mut tx, &endpoint).await?;
    tx.commit().await?;
    Ok(Json(endpoint.into()))
}

impl WebhookEndpointPatch {
    /// 422 with every invalid field.
    fn apply(
        self,
        endpoint: &WebhookEndpoint,
        rule: AddressRule,
    ) -> Result<WebhookEndpoint, Problem> {
        let WebhookEndpoint { url, description, event_types, .. } = endpoint.clone();
        let mut fields = Fields::new();
        let url = self.url.map_or(Some(url), |url| parse_url(&mut fields, &url, rule));
        let description = self
            .description
            .map_or(Some(description), |text| parse_description(&mut fields, &text));
        let event_types = self
            .event_types
            .map_or(Some(event_types), |names| parse_event_types(&mut fields, &names));
        fields.finish_with(|| {
            let (url, description, event_types) = (url?, description?, event_types?);
            let changed_at = clock::now();
            Some(WebhookEndpoint { url, description, event_types, changed_at, ..*endpoint })
        })
    }
}
