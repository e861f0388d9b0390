//! `GET /v1/lost-events`

use ::messaging::{
    Outbox,
    dead_letters::{self, LostEvents},
};
use axum::extract::State;
use problem::{Json, Problem, Query};
use serde::{Deserialize, Serialize};

use crate::auth::{Caller, Scope};

/// The default and the largest number of declarations.
const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 500;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ListLostEventsParameters {
    /// How many declarations, newest first; 1 to 500, default 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
}

/// Events that were declared lost, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct LostEventList {
    #[schema(value_type = Vec<Object>)]
    items: Vec<LostEvents>,
}

/// List the events that were declared lost
#[utoipa::path(
    get, path = "/v1/lost-events", tag = "operations", params(ListLostEventsParameters),
    responses((status = 200, body = LostEventList)), security(("bearer" = ["ops"]))
)]
pub(super) async fn list_lost_events(
    caller: Caller,
    State(outbox): State<Outbox>,
    Query(ListLostEventsParameters { limit }): Query<ListLostEventsParameters>,
) -> Result<Json<LostEventList>, Problem> {
    caller.require(Scope::Ops)?;
    let limit = i64::from(limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT));
    let mut connection = outbox.pool().acquire().await?;
    let items = dead_letters::lost_events(&mut connection, limit).await?;
    Ok(Json(LostEventList { items }))
}
