//! `GET /v1/customer-erasures/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::{Caller, Scope};
use vocabulary::CustomerId;

use super::{access::require_customer, customer_erasure_body::CustomerErasureBody};
use crate::storage::customer_erasures;

/// Get the erasure of a customer
///
/// Proves for each service when it has deleted what it stored about the customer.
#[utoipa::path(
    get, path = "/v1/customer-erasures/{id}", tag = "customers", params(("id" = CustomerId, Path, description = "The customer")),
    responses((status = 200, body = CustomerErasureBody), (status = 404, body = Problem, description = "`not_found`")),
    security(("bearer" = ["orders:read"]))
)]
pub(crate) async fn get_customer_erasure(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<CustomerId>,
) -> Result<Json<CustomerErasureBody>, Problem> {
    require_customer(&caller, Scope::OrdersRead, id)?;
    let mut connection = outbox.pool().acquire().await?;
    let erasure = customer_erasures::get(&mut connection, id).await?;
    let not_found = || Problem::not_found(format_args!("erasure of customer {id}"));
    Ok(Json(erasure.ok_or_else(not_found)?.into()))
}
