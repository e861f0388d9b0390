//! `GET /ops/topology`

use ::messaging::Topology;
use axum::extract::State;
use problem::{Json, Problem};
use serde::Serialize;

use crate::{auth::Scope, http::ReadAccess};

/// The names of the service's queues.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Queues {
    queues: Vec<String>,
}

/// List the service's queues
///
/// The list includes the queues for dead-lettered and unroutable messages. `INTERNAL_ADDR` needs no token.
#[utoipa::path(
    get, path = "/ops/topology", tag = "operations", responses((status = 200, body = Queues)),
    security(("bearer" = ["ops"])), extensions(("x-open-at-internal-addr" = json!(true)))
)]
pub(super) async fn get_topology(
    access: ReadAccess,
    State(topology): State<Topology>,
) -> Result<Json<Queues>, Problem> {
    access.require(Scope::Ops)?;
    Ok(Json(Queues { queues: topology.queues() }))
}
