//! `GET /v1/orders/{id}`

use std::time::Duration;

use axum::extract::State;
use messaging::Outbox;
use problem::{Json, Path, Problem, Query};
use runtime::auth::{Caller, Scope};
use serde::Deserialize;
use tokio::time::Instant;
use utoipa::IntoParams;
use vocabulary::OrderId;

use super::{
    MAX_WAIT, POLL_INTERVAL,
    access::{order_not_found, readable_status, require_scope, watch},
    order_body::OrderBody,
    status_body::StatusBody,
};
use crate::{app::order_process::OrderProcess, domain::OrderStatus, storage::order_views};

/// The default of `wait_ms`.
const DEFAULT_WAIT: Duration = Duration::from_secs(10);

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
    let awaited = query.wait_for.map(OrderStatus::from);
    let watcher = awaited.map(|awaited| watch(&process, id).map(|watcher| (awaited, watcher)));
    let mut status = readable_status(&outbox, &caller, id).await?;
    if let Some((awaited, mut watcher)) = watcher.transpose()? {
        let wait = query.wait_ms.map_or(DEFAULT_WAIT, Duration::from_millis).min(MAX_WAIT);
        let deadline = Instant::now() + wait;
        while status.may_become(awaited) && Instant::now() < deadline {
            let poll_at = deadline.min(Instant::now() + POLL_INTERVAL);
            status = match watcher.changed(poll_at).await {
                Some(status) => status,
                None => readable_status(&outbox, &caller, id).await?,
            };
        }
    }
    let view = order_views::get(&mut *outbox.pool().acquire().await?, id).await?;
    Ok(Json(view.ok_or_else(|| order_not_found(id))?.into()))
}
