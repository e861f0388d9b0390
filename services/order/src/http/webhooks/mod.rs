//! Webhooks of payment providers and carriers. A signature replaces the token. Each event takes effect once.

pub(super) mod receive_payment_webhook;
pub(super) mod receive_shipment_webhook;
mod signature;

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRef, FromRequest, Request},
    http::StatusCode,
};
use problem::{Json, Problem, unreadable_body};
use runtime::clock;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::ToSchema;
use vocabulary::OrderId;

use super::{json_bytes, status_body::StatusBody};
use crate::{app::order_process::OrderUpdate, state::WebhookSecret};

/// `Retry-After` while no secret is configured.
const RETRY_AFTER: Duration = Duration::from_mins(10);

/// The maximum length of an event id, reference, carrier or tracking number.
const MAX_TEXT: usize = 200;

/// A body with a valid signature.
pub(super) struct Signed<T>(T);

impl<T, S> FromRequest<S> for Signed<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
    WebhookSecret: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let secret = WebhookSecret::from_ref(state);
        let secret = secret.get().ok_or_else(|| {
            Problem::unavailable("webhooks_off", RETRY_AFTER)
                .detail("No webhook secret is configured.")
        })?;
        let header = request.headers().get("x-signature").and_then(|header| header.to_str().ok());
        let header = header.unwrap_or_default().to_owned();
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|rejection| unreadable_body(&rejection))?;
        signature::verify(secret.expose().as_bytes(), &header, &bytes, clock::now()).map_err(
            |error| {
                Problem::new(StatusCode::UNAUTHORIZED, "bad_signature", "The signature is invalid")
                    .detail(format!("{error}."))
            },
        )?;
        json_bytes::parse(bytes).await.map(Self)
    }
}

/// The response to a webhook; a repeated event gets the same response.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct WebhookResponse {
    order_id: OrderId,
    /// The status of the order after the event.
    status: StatusBody,
    /// Whether the event changed the order. If not, the order already had this status or a later one.
    applied: bool,
}

impl WebhookResponse {
    fn new(order: OrderId, update: OrderUpdate) -> Self {
        Self { order_id: order, status: update.status.into(), applied: update.changed }
    }

    fn to_json(&self) -> Result<Value, Problem> {
        serde_json::to_value(self).map_err(|error| Problem::internal_from(&error))
    }

    fn from_json(response: Value) -> Result<Json<Self>, Problem> {
        serde_json::from_value(response).map(Json).map_err(|error| Problem::internal_from(&error))
    }
}
