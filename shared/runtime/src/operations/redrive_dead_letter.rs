//! `POST /v1/dead-letters/{id}/redrive`

use ::messaging::{Criticality, Outbox, Topology, dead_letters};
use axum::{extract::State, http::StatusCode};
use problem::{Path, Problem};
use uuid::Uuid;

use super::problems::unresolved;
use crate::{
    auth::{Caller, Scope},
    messaging::admit,
};

/// Handle a dead letter again
///
/// It takes effect once. Refused with 503 while events cannot be published.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/redrive", tag = "operations", params(("id" = Uuid, Path)),
    responses((status = 204)), security(("bearer" = ["ops"]))
)]
pub(super) async fn redrive_dead_letter(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(topology): State<Topology>,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Ops)?;
    admit(&outbox, Criticality::Deferrable)?;
    dead_letters::redrive(&outbox, &topology, id).await.map_err(unresolved)?;
    Ok(StatusCode::NO_CONTENT)
}
