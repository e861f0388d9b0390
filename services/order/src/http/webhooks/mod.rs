//! Callbacks of providers: signed instead of carrying a token, and each takes effect once, however often it comes.

pub(crate) mod payments;
pub(crate) mod shipments;
mod signature;

use std::{path::Path, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{FromRef, FromRequest, Request},
    http::StatusCode,
};
use problem::{Json, Problem};
use runtime::{clock, config::Secret};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::ToSchema;
use vocabulary::OrderId;

use super::body;
use crate::domain::Status;

/// When a provider is to try again while no secret is configured.
const TRY_AGAIN_AFTER: Duration = Duration::from_mins(10);

/// The longest event id, reference, carrier or tracking number of a provider.
const LONGEST_TEXT: usize = 200;

/// What callbacks are verified with; without a secret none is taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Webhooks(Option<Arc<Secret>>);

impl Webhooks {
    /// The secret in a file; white space around it does not count.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, std::io::Error> {
        let Some(file) = file else { return Ok(Self(None)) };
        let text = std::fs::read_to_string(file)?;
        let secret = text.trim();
        if secret.is_empty() {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the file is empty"));
        }
        Ok(Self(Some(Arc::new(secret.into()))))
    }

    fn secret(&self) -> Result<&Secret, Problem> {
        self.0.as_deref().ok_or_else(|| {
            Problem::unavailable("webhooks_off", TRY_AGAIN_AFTER)
                .detail("No secret is configured that callbacks could be verified with.")
        })
    }
}

/// A body whose signature is good.
pub(crate) struct Signed<T>(T);

impl<T, S> FromRequest<S> for Signed<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
    Webhooks: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let webhooks = Webhooks::from_ref(state);
        let secret = webhooks.secret()?;
        let header = request.headers().get("x-signature").and_then(|header| header.to_str().ok());
        let header = header.unwrap_or_default().to_owned();
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "body_too_large",
                    "The body is too large",
                )
            } else {
                Problem::bad_request("unreadable_body", "The body could not be read")
            }
        })?;
        signature::verify(secret.expose().as_bytes(), &header, &bytes, clock::now()).map_err(
            |error| {
                Problem::new(
                    StatusCode::UNAUTHORIZED,
                    "bad_signature",
                    "The signature does not verify",
                )
                .detail(format!("{error}."))
            },
        )?;
        body::parse(bytes).await.map(Self)
    }
}

/// What a callback is answered, and answered again if it comes again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Received {
    /// Which order it was about.
    order_id: OrderId,
    /// What the order was after it.
    status: Status,
    /// Whether it moved the order; if not, the order was there already, or beyond.
    applied: bool,
}

impl Received {
    fn to_value(&self) -> Result<Value, Problem> {
        serde_json::to_value(self).map_err(|error| Problem::internal_from(&error))
    }
}

/// The answer that was recorded.
fn again(answer: Value) -> Result<Json<Received>, Problem> {
    serde_json::from_value(answer).map(Json).map_err(|error| Problem::internal_from(&error))
}
