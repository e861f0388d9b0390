//! `POST /v1/webhook-endpoints/{id}/deliveries/{message_id}/redeliver`

use axum::{extract::State, http::StatusCode};
use messaging::Outbox;
use problem::{Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::{WebhookEndpointId, WebhookMessageId};

use super::endpoint_not_found;
use crate::app::{
    order_process::OrderProcess,
    redeliver_webhook::{self as redeliver, RedeliverWebhookError},
};

/// Send a message to an endpoint again
///
/// It has the same `webhook-id` as before, and a new series of attempts. It does not wait for other messages of its key.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{id}/deliveries/{message_id}/redeliver", tag = "webhook endpoints",
    params(("id" = WebhookEndpointId, Path), ("message_id" = WebhookMessageId, Path)),
    responses(
        (status = 202, description = "The message is sent as soon as the endpoint has a free slot."),
        (status = 404, body = Problem, description = "`not_found`: the endpoint, or the message in its log"),
        (status = 409, body = Problem, description = "`webhook_endpoint_disabled`"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn redeliver_webhook(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path((id, message)): Path<(WebhookEndpointId, WebhookMessageId)>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut tx = outbox.begin().await?;
    let waker = process.webhook_waker();
    let redelivered = redeliver::redeliver_webhook(&mut tx, waker, id, message).await;
    redelivered.map_err(|error| refusal(error, id, message))?;
    tx.commit().await?;
    Ok(StatusCode::ACCEPTED)
}

fn refusal(
    error: RedeliverWebhookError,
    id: WebhookEndpointId,
    message: WebhookMessageId,
) -> Problem {
    match error {
        RedeliverWebhookError::UnknownEndpoint => endpoint_not_found(id),
        RedeliverWebhookError::UnknownDelivery => {
            Problem::not_found(format_args!("delivery of message {message}"))
        }
        RedeliverWebhookError::Disabled => {
            Problem::conflict("webhook_endpoint_disabled", "The webhook endpoint is disabled")
                .detail("Resume it first.")
        }
        RedeliverWebhookError::Database(error) => error.into(),
    }
}
