//! `GET /v1/orders/{id}/returns`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem};
use runtime::auth::Caller;
use serde::Serialize;
use utoipa::ToSchema;
use vocabulary::OrderId;

use super::{super::access::readable_status, return_body::ReturnBody};
use crate::storage::returns;

/// The returns of an order, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReturnList {
    items: Vec<ReturnBody>,
}

/// List the returns of an order
#[utoipa::path(
    get, path = "/v1/orders/{id}/returns", tag = "returns", params(("id" = OrderId, Path)),
    responses((status = 200, body = ReturnList)), security(("bearer" = ["orders:read"]))
)]
pub(crate) async fn list_returns(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<OrderId>,
) -> Result<Json<ReturnList>, Problem> {
    readable_status(&outbox, &caller, id).await?;
    let found = returns::of_order(&mut *outbox.pool().acquire().await?, id).await?;
    Ok(Json(ReturnList { items: found.into_iter().map(ReturnBody::from).collect() }))
}
