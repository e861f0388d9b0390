//! `GET /v1/dead-letters/{id}`

use ::messaging::{
    Outbox, Topology,
    dead_letters::{self, DeadLetterDetails},
};
use axum::extract::State;
use problem::{Json, Path, Problem};
use uuid::Uuid;

use crate::auth::{Caller, Scope};

/// Get a dead letter
///
/// The answer holds the payload, the causes, and every place where the payload violates its schema.
#[utoipa::path(
    get, path = "/v1/dead-letters/{id}", tag = "operations", params(("id" = Uuid, Path)),
    responses((status = 200, body = Value)), security(("bearer" = ["ops"]))
)]
pub(super) async fn get_dead_letter(
    caller: Caller,
    State(outbox): State<Outbox>,
    State(topology): State<Topology>,
    Path(id): Path<Uuid>,
) -> Result<Json<DeadLetterDetails>, Problem> {
    caller.require(Scope::Ops)?;
    let mut connection = outbox.pool().acquire().await?;
    let found = dead_letters::show(&mut connection, &topology, id).await?;
    found.map(Json).ok_or_else(|| Problem::not_found(format_args!("dead letter {id}")))
}
