//! `GET /v1/orders/{id}`: an order, now or once it has come as far as the client waits for.

use std::time::Duration;

use axum::extract::State;
use messaging::Kit;
use problem::{Json, Path, Problem, Query};
use runtime::auth::Caller;
use serde::Deserialize;
use tokio::time::Instant;
use vocabulary::OrderId;

use super::{
    LONGEST_WAIT,
    access::{no_such, readable},
    order_body::OrderBody,
};
use crate::{domain::Status, process::Process, storage::shown};

/// How long to wait where the client says for what, but not how long.
const USUAL_WAIT: Duration = Duration::from_secs(10);

/// Whether to wait, and for what.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waiting {
    /// Answer once the order has come here, or cannot come here any more.
    wait_for: Option<Status>,
    /// But wait no longer than these milliseconds: up to 30000, 10000 unless said.
    wait_ms: Option<u64>,
}

/// An order.
///
/// With `wait_for` the answer comes as soon as the order has that status, has gone past it, or cannot reach it any more;
/// whatever it is when the time is up.
#[utoipa::path(
    get, path = "/v1/orders/{id}", tag = "orders", params(("id" = OrderId, Path), Waiting),
    responses((status = 200, body = OrderBody)), security(("bearer" = ["orders:read"]))
)]
pub(crate) async fn read(
    caller: Caller,
    State(kit): State<Kit>,
    State(process): State<Process>,
    Path(id): Path<OrderId>,
    Query(waiting): Query<Waiting>,
) -> Result<Json<OrderBody>, Problem> {
    // Begun before the first look, so that no change is missed between looking and waiting.
    let mut watch = process.watch(id);
    let mut status = readable(&kit, &caller, id).await?;
    if let Some(awaited) = waiting.wait_for {
        let wait = waiting.wait_ms.map_or(USUAL_WAIT, Duration::from_millis).min(LONGEST_WAIT);
        let deadline = Instant::now() + wait;
        while status.may_become(awaited) && Instant::now() < deadline {
            status = match watch.changed(Some(deadline)).await {
                Some(status) => status,
                None => readable(&kit, &caller, id).await?,
            };
        }
    }
    let shown = shown::one(&mut *kit.pool().acquire().await?, id).await?;
    Ok(Json(shown.ok_or_else(|| no_such(id))?.into()))
}
