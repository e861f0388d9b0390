//! `PUT /v1/dead-letters/{id}/data`

use ::messaging::{Outbox, Topology, dead_letters};
use axum::{extract::State, http::StatusCode};
use problem::{Json, Path, Problem};
use serde_json::value::{Value, to_raw_value};
use uuid::Uuid;

use super::problems::not_edited;
use crate::auth::{Caller, Scope};

/// Replace the data of a pending dead letter
///
/// The new data must fit the event's type and key. The original payload is kept.
#[utoipa::path(
    put, path = "/v1/dead-letters/{id}/data", tag = "operations", params(("id" = Uuid, Path)),
    request_body = Value, responses((status = 204)), security(("bearer" = ["ops"]))
)]
pub(super) async fn edit_dead_letter(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(topology): State<Topology>,
    Path(id): Path<Uuid>,
    Json(data): Json<Value>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Ops)?;
    let data = to_raw_value(&data).map_err(|error| Problem::internal_from(&error))?;
    dead_letters::edit(&outbox, &topology, id, data).await.map_err(not_edited)?;
    Ok(StatusCode::NO_CONTENT)
}
