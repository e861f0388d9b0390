//! `GET /ops/topology`

use ::messaging::Topology;
use axum::extract::State;
use problem::Json;
use serde::Serialize;

/// The names of the service's queues.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Queues {
    queues: Vec<String>,
}

/// List the service's queues
///
/// The list includes the queues for dead-lettered and unroutable messages.
#[utoipa::path(get, path = "/ops/topology", tag = "operations", responses((status = 200, body = Queues)))]
pub(super) async fn get_topology(State(topology): State<Topology>) -> Json<Queues> {
    Json(Queues { queues: topology.queues() })
}
