//! `GET /v1/queues`

use ::messaging::{Outbox, QueueReport};
use axum::extract::State;
use problem::{Json, Problem};

use crate::auth::{Caller, Scope};

/// Get metrics of the queues and of the outbox over the last 30 seconds
///
/// Only queues that this process consumes are listed. Per queue: arrival rate λ, events in the queue L, time in the queue W,
/// and `little_ratio` = L ÷ λW, which is about 1. `consumers_needed` is the number of consumers for a utilisation of at most
/// 80 %.
#[utoipa::path(
    get, path = "/v1/queues", tag = "operations",
    responses((status = 200, body = Object, description = "`outbox`, and `queues` by their names")),
    security(("bearer" = ["ops"]))
)]
pub(super) async fn get_queue_metrics(
    caller: Caller,
    State(outbox): State<Outbox>,
) -> Result<Json<QueueReport>, Problem> {
    caller.require(Scope::Ops)?;
    Ok(Json(outbox.queue_report()))
}
