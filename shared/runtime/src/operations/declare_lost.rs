//! `POST /v1/dead-letters/{id}/declare-lost`

use ::messaging::{
    Outbox,
    dead_letters::{self, Declaration, LostEvents, MissingEvents},
};
use axum::extract::State;
use problem::{Json, Path, Problem};
use serde::Deserialize;
use uuid::Uuid;

use super::problems::not_declared_lost;
use crate::auth::{Caller, Scope};

/// The events that are lost, and why.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LossDeclaration {
    /// The number of the first missing event, as `missing` of the dead letter names it.
    first: i64,
    /// The number of the last missing event.
    last: i64,
    /// Why the events are lost; 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// Declare the events lost for which a dead letter waits
///
/// The later events of the key continue without them, in order. A repeated call returns the first declaration. If a lost
/// event arrives after all, it is not applied, but becomes a dead letter `declared_lost`.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/declare-lost", tag = "operations", params(("id" = Uuid, Path)),
    request_body = LossDeclaration, responses((status = 200, body = Value)), security(("bearer" = ["ops"]))
)]
pub(super) async fn declare_lost(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(id): Path<Uuid>,
    Json(LossDeclaration { first, last, reason }): Json<LossDeclaration>,
) -> Result<Json<LostEvents>, Problem> {
    caller.require(Scope::Ops)?;
    let lost = MissingEvents { first, last };
    let declaration = Declaration { lost, reason: &reason, declared_by: Some(caller.subject()) };
    let declared = dead_letters::declare_lost(&outbox, id, declaration).await;
    declared.map(Json).map_err(not_declared_lost)
}
