//! `DELETE /v1/priority-customers/{id}`

use axum::{extract::State, http::StatusCode};
use messaging::Outbox;
use problem::{Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::CustomerId;

use crate::app::{change_priority_customers as command, order_process::OrderProcess};

/// Take priority from a customer
///
/// Orders that were placed keep it.
#[utoipa::path(
    delete, path = "/v1/priority-customers/{id}", tag = "customers", params(("id" = CustomerId, Path)),
    responses((status = 204, description = "The customer has no priority.")),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn remove_priority_customer(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path(id): Path<CustomerId>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut tx = outbox.begin().await?;
    command::remove_priority_customer(&mut tx, &process, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
