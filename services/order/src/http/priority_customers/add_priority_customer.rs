//! `PUT /v1/priority-customers/{id}`

use axum::{extract::State, http::StatusCode};
use messaging::Outbox;
use problem::{Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::CustomerId;

use crate::app::{
    change_priority_customers::{
        self as command, AddPriorityCustomerError, MAX_PRIORITY_CUSTOMERS,
    },
    order_process::OrderProcess,
};

/// Give a customer priority
///
/// Orders that the customer places from then on overtake others under a backlog.
#[utoipa::path(
    put, path = "/v1/priority-customers/{id}", tag = "customers", params(("id" = CustomerId, Path)),
    responses(
        (status = 204, description = "The customer has priority."),
        (status = 409, body = Problem, description = "`too_many_priority_customers`: 100,000 have it"),
    ),
    security(("bearer" = ["orders:admin"]))
)]
pub(crate) async fn add_priority_customer(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path(id): Path<CustomerId>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::OrdersAdmin)?;
    let mut tx = outbox.begin().await?;
    command::add_priority_customer(&mut tx, &process, id, caller.subject()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<AddPriorityCustomerError> for Problem {
    fn from(error: AddPriorityCustomerError) -> Self {
        match error {
            AddPriorityCustomerError::TooMany => Self::conflict(
                "too_many_priority_customers",
                "The maximum number of customers has priority",
            )
            .detail(format!("The limit is {MAX_PRIORITY_CUSTOMERS}.")),
            AddPriorityCustomerError::Database(error) => error.into(),
        }
    }
}
