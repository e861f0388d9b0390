//! `POST /v1/dead-letters/{id}/dry-run`

use ::messaging::{
    Outbox, Topology,
    dead_letters::{self, DryRun},
};
use axum::extract::State;
use problem::{Json, Path, Problem};
use uuid::Uuid;

use super::problems::unresolved;
use crate::auth::{Caller, Scope};

/// Handle a dead letter and roll everything back
///
/// The answer says what a redrive would do.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/dry-run", tag = "operations", params(("id" = Uuid, Path)),
    responses((status = 200, body = Value)), security(("bearer" = ["ops"]))
)]
pub(super) async fn dry_run_dead_letter(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(topology): State<Topology>,
    Path(id): Path<Uuid>,
) -> Result<Json<DryRun>, Problem> {
    caller.require(Scope::Ops)?;
    Ok(Json(dead_letters::dry_run(&outbox, &topology, id).await.map_err(unresolved)?))
}
