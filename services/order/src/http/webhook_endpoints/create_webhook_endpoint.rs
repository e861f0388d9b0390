//! `POST /v1/webhook-endpoints`

use axum::{extract::State, http::StatusCode};
use idempotency::{Executed, Request, StoredResponse, request_body};
use messaging::Outbox;
use problem::{Fields, IdempotencyKey, Json, Problem};
use runtime::auth::{Caller, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    endpoint_body::EndpointWithSecretBody,
    endpoint_draft::{parse_description, parse_event_types, parse_url},
};
use crate::{
    app::{
        create_webhook_endpoint::{
            self as create, CreateWebhookEndpointCommand, CreateWebhookEndpointError,
        },
        webhook_client::WebhookClient,
    },
    domain::webhooks::{AddressRule, MAX_ENDPOINTS},
};

#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhookEndpoint {
    /// Where messages are sent: an `https` address that is not private.
    #[schema(example = "https://example.com/webhooks")]
    url: String,
    /// For people; at most 200 characters.
    #[serde(default)]
    description: String,
    /// What it receives: `order.paid`, `shipment.requested` (with the address of the customer), `order.parcel_shipped`,
    /// `order.shipped`, `order.parcel_delivered`, `order.delivered`, `order.cancelled`, `order.line_cancelled`,
    /// `order.refunded`, `return.announced`, `return.received`, `stock.out`, `stock.back`, `stock.low`, `product.changed`,
    /// `product.deleted`.
    #[schema(example = json!(["order.paid"]))]
    event_types: Vec<String>,
}

/// Create an endpoint that receives webhooks
///
/// It receives what commits after this answer. The answer contains the secret that verifies the signatures; no other request
/// shows it.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints", tag = "webhook endpoints", request_body = NewWebhookEndpoint,
    params(("Idempotency-Key" = Option<String>, Header, description = "A repetition with the same key and body creates no second endpoint")),
    responses(
        (status = 201, body = EndpointWithSecretBody, headers(("Location" = String, description = "The path of the endpoint"))),
        (status = 409, body = Problem, description = "`too_many_webhook_endpoints`: 20 exist"),
        (status = 422, body = Problem, description = "`validation_failed`: lists every invalid field"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn create_webhook_endpoint(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(client): State<WebhookClient>,
    key: Option<IdempotencyKey>,
    Json(request): Json<NewWebhookEndpoint>,
) -> Result<Executed, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let body = request_body(&request)?;
    let command = request.into_command(client.rule())?;

    let (caller, operation) = (caller.subject(), "create_webhook_endpoint");
    let request = Request { caller, operation, key: key.as_ref(), body: &body };
    idempotency::execute(&outbox, request, async |tx| {
        let (endpoint, secret) = create::create_webhook_endpoint(tx, command).await?;
        let location = format!("/v1/webhook-endpoints/{}", endpoint.id);
        let body = EndpointWithSecretBody::created(endpoint, &secret);
        Ok(StoredResponse::json(StatusCode::CREATED, &body)?.header("location", location))
    })
    .await
}

impl NewWebhookEndpoint {
    /// 422 with every invalid field.
    fn into_command(self, rule: AddressRule) -> Result<CreateWebhookEndpointCommand, Problem> {
        let mut fields = Fields::new();
        let url = parse_url(&mut fields, &self.url, rule);
        let description = parse_description(&mut fields, &self.description);
        let event_types = parse_event_types(&mut fields, &self.event_types);
        fields.finish_with(|| {
            let (url, description, event_types) = (url?, description?, event_types?);
            Some(CreateWebhookEndpointCommand { url, description, event_types })
        })
    }
}

impl From<CreateWebhookEndpointError> for Problem {
    fn from(error: CreateWebhookEndpointError) -> Self {
        match error {
            CreateWebhookEndpointError::TooMany => Self::conflict(
                "too_many_webhook_endpoints",
                "The maximum number of webhook endpoints exists",
            )
            .detail(format!("The limit is {MAX_ENDPOINTS}.")),
            CreateWebhookEndpointError::Database(error) => error.into(),
        }
    }
}
