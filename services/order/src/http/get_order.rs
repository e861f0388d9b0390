//! `GET /v1/orders/{id}`

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::Deserialize;
use utoipa::IntoParams;
use vocabulary::OrderId;

use super::{
    access::{order_not_found, readable_status, require_scope, watch},
    await_status::Awaited,
    order_body::OrderBody,
    status_body::StatusBody,
};
use crate::{app::order_process::OrderProcess, storage::order_views};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetOrderQuery {
    /// Respond when the order reaches this status or cannot reach it any more.
    wait_for: Option<StatusBody>,
    /// The longest wait in milliseconds: up to 30000, default 10000.
    wait_ms: Option<u64>,
}

/// Get an order
///
/// With `wait_for` the response comes when the order reaches the status, has passed it or cannot reach it any more, and
/// at the latest after `wait_ms`.
#[utoipa::path(
    get, path = "/v1/orders/{id}", tag = "orders", params(("id" = OrderId, Path), GetOrderQuery),
    responses((status = 200, body = OrderBody)), security(("bearer" = ["orders:read"]))
)]
pub(crate) async fn get_order(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(process): State<OrderProcess>,
    Path(id): Path<OrderId>,
    Query(query): Query<GetOrderQuery>,
) -> Result<Json<OrderBody>, Problem> {
    require_scope(&caller, Scope::OrdersRead)?;
    // Watch before the first read, so that no change is missed in between.
    let awaited = query.wait_for.map(|status| Awaited::new(status, query.wait_ms));
    let watcher = awaited.map(|awaited| watch(&process, id).map(|watcher| (awaited, watcher)));
    let status = readable_status(&outbox, &caller, id).await?;
    if let Some((awaited, mut watcher)) = watcher.transpose()? {
        awaited.wait(&outbox, id, &mut watcher, status).await?;
    }
    let view = order_views::get(&mut *outbox.pool().acquire().await?, id).await?;
    Ok(Json(view.ok_or_else(|| order_not_found(id))?.into()))
}
