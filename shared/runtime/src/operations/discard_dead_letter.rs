//! `POST /v1/dead-letters/{id}/discard`

use ::messaging::{Outbox, dead_letters};
use axum::{extract::State, http::StatusCode};
use problem::{Path, Problem};
use uuid::Uuid;

use super::problems::unresolved;
use crate::auth::{Caller, Scope};

/// Discard a dead letter
///
/// Later events of its key continue without it.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/discard", tag = "operations", params(("id" = Uuid, Path)),
    responses((status = 204)), security(("bearer" = ["ops"]))
)]
pub(super) async fn discard_dead_letter(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Ops)?;
    dead_letters::discard(&outbox, id).await.map_err(unresolved)?;
    Ok(StatusCode::NO_CONTENT)
}
