//! `GET /v1/dead-letters/groups`

use ::messaging::{
    Outbox,
    dead_letters::{self, DeadLetterGroup},
};
use axum::extract::State;
use problem::{Json, Problem};
use serde::Serialize;

use crate::auth::{Caller, Scope};

/// Groups of pending dead letters, the largest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct DeadLetterGroups {
    #[schema(value_type = Vec<Object>)]
    items: Vec<DeadLetterGroup>,
}

/// Group pending dead letters by consumer, reason, event type and cause
#[utoipa::path(
    get, path = "/v1/dead-letters/groups", tag = "operations",
    responses((status = 200, body = DeadLetterGroups)), security(("bearer" = ["ops"]))
)]
pub(super) async fn list_dead_letter_groups(
    caller: Caller,
    State(outbox): State<Outbox>,
) -> Result<Json<DeadLetterGroups>, Problem> {
    caller.require(Scope::Ops)?;
    let mut connection = outbox.pool().acquire().await?;
    let items = dead_letters::groups(&mut connection).await?;
    Ok(Json(DeadLetterGroups { items }))
}
