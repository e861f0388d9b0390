//! `POST /v1/payment-requests/{id}/{operation}/retry`

use axum::{extract::State, http::StatusCode};
use messaging::Outbox;
use problem::{Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    clock,
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::order_process::OrderProcess, domain::ProviderOperation, storage::provider_requests,
};

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentRequestOperation)]
pub(crate) enum OperationBody {
    Capture,
    Void,
    Refund,
}

impl From<OperationBody> for ProviderOperation {
    fn from(body: OperationBody) -> Self {
        match body {
            OperationBody::Capture => Self::Capture,
            OperationBody::Void => Self::Void,
            OperationBody::Refund => Self::Refund,
        }
    }
}

/// Send a failed request to the payment provider again
///
/// The provider gets the same idempotency key, so it acts once. If the matter was settled in another way, do not call
/// this.
#[utoipa::path(
    post, path = "/v1/payment-requests/{id}/{operation}/retry", tag = "orders",
    params(("id" = Uuid, Path), ("operation" = inline(OperationBody), Path)),
    responses(
        (status = 202, description = "The provider is asked for another day."),
        (status = 404, body = Problem, description = "`not_found`: there is no such failed request"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn retry_payment_request(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path((id, operation)): Path<(Uuid, OperationBody)>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let operation = ProviderOperation::from(operation);
    let mut connection = outbox.pool().acquire().await?;
    if provider_requests::retry(&mut connection, id, operation, clock::now()).await? {
        process.provider_waker().wake();
        Ok(StatusCode::ACCEPTED)
    } else {
        let name = operation.as_str();
        Err(Problem::not_found(format_args!("a failed {name} with the id {id}")))
    }
}
