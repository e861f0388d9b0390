//! `POST /v1/webhook-endpoints/{id}/test`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::{WebhookEndpointId, WebhookMessageId};

use super::{delivery_body::WebhookAttemptBody, endpoint_not_found};
use crate::app::{test_webhook_endpoint as test, webhook_client::WebhookClient};

/// What the endpoint did with the test message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookTest {
    /// The `webhook-id` of the message.
    message_id: WebhookMessageId,
    /// Whether the endpoint answered with a status of 200 to 299.
    delivered: bool,
    #[serde(flatten)]
    attempt: WebhookAttemptBody,
}

/// Send a test message to an endpoint
///
/// The message has the type `webhook.test`. It is sent once, also to an endpoint that is paused or disabled; the answer says
/// what happened.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/test", tag = "webhook endpoints",
    params(("id" = WebhookEndpointId, Path)),
    responses(
        (status = 200, body = WebhookTest),
        (status = 404, body = Problem, description = "`not_found`"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn test_webhook_endpoint(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(client): State<WebhookClient>,
    Path(id): Path<WebhookEndpointId>,
) -> Result<Json<WebhookTest>, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let tested = test::test_webhook_endpoint(outbox.pool(), &client, id).await?;
    let (message_id, attempt) = tested.ok_or_else(|| endpoint_not_found(id))?;
    let delivered = attempt.result.is_delivered();
    Ok(Json(WebhookTest { message_id, delivered, attempt: (&attempt).into() }))
}
