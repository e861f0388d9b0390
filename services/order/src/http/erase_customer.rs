//! `DELETE /v1/customers/{id}`

use axum::{
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
};
use messaging::{Criticality, Outbox};
use problem::{Json, Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    clock,
    messaging::admit,
};
use vocabulary::CustomerId;

use super::{access::require_customer, customer_erasure_body::CustomerErasureBody};
use crate::{
    app::{
        erase_customers::{EraseCustomersCommand, erase_customers},
        worker_waker::WorkerWaker,
    },
    storage::customer_erasures,
};

/// Erase a customer
///
/// Deletes the addresses of the customer's orders, and in other services what the customer did. An order that is not shipped yet
/// keeps its address until then. Orders, lines and payments stay, without a person. The request can be repeated; `Location` tells what
/// has been done.
#[utoipa::path(
    delete, path = "/v1/customers/{id}", tag = "customers", params(("id" = CustomerId, Path)),
    responses((status = 202, body = CustomerErasureBody, headers(("Location" = String, description = "The path of the erasure")))),
    security(("bearer" = ["orders:write"]))
)]
pub(crate) async fn erase_customer(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(waker): State<WorkerWaker>,
    Path(id): Path<CustomerId>,
) -> Result<Response, Problem> {
    require_customer(&caller, Scope::OrdersWrite, id)?;
    admit(&outbox, Criticality::Critical)?;
    let mut tx = outbox.begin().await?;
    let command = EraseCustomersCommand {
        customers: &[id],
        requested_by: caller.subject(),
        requested_at: clock::now(),
    };
    erase_customers(&mut tx, &waker, command).await?;
    let erasure = customer_erasures::get(&mut tx, id).await?;
    tx.commit().await?;
    let body: CustomerErasureBody = erasure.ok_or_else(Problem::internal)?.into();
    let location = [(LOCATION, format!("/v1/customer-erasures/{id}"))];
    Ok((StatusCode::ACCEPTED, location, Json(body)).into_response())
}
