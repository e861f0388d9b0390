//! `GET /v1/dead-letters`

use ::messaging::{
    Outbox,
    dead_letters::{self, DeadLetter, Selection},
};
use axum::extract::State;
use problem::{Json, Problem, Query};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::selection::require_known;
use crate::auth::{Caller, Scope};

/// The default and the largest number of dead letters on a page.
const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 500;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct ListDeadLettersParameters {
    /// Include resolved dead letters.
    #[serde(default)]
    all: bool,
    /// Page size, newest first; 1 to 500, default 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
    /// The `next` of the previous page.
    after: Option<Uuid>,
    /// Only this consumer.
    consumer: Option<String>,
    /// Only this reason.
    reason: Option<String>,
    /// Only this event type; empty for messages that are not events.
    kind: Option<String>,
    /// Only this cause, as the groups name it.
    cause: Option<String>,
}

/// A page of dead letters, newest first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct DeadLetters {
    #[schema(value_type = Vec<Object>)]
    items: Vec<DeadLetter>,
    /// The number of all pending dead letters.
    pending: i64,
    /// The `after` of the next page; absent on the last page.
    next: Option<Uuid>,
}

/// List dead letters
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "operations", params(ListDeadLettersParameters),
    responses((status = 200, body = DeadLetters)), security(("bearer" = ["ops"]))
)]
pub(super) async fn list_dead_letters(
    caller: Caller,
    State(outbox): State<Outbox>,
    Query(parameters): Query<ListDeadLettersParameters>,
) -> Result<Json<DeadLetters>, Problem> {
    caller.require(Scope::Ops)?;
    let ListDeadLettersParameters { all, limit, after, consumer, reason, kind, cause } = parameters;
    let selection = Selection { consumer, reason, kind, cause };
    let limit = i64::from(limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT));
    let mut connection = outbox.pool().acquire().await?;
    require_known(&mut connection, after).await?;
    let items = dead_letters::list(&mut connection, &selection, !all, after, limit).await?;
    let pending = dead_letters::count_pending(&mut connection).await?;
    let is_full = i64::try_from(items.len()).is_ok_and(|listed| listed == limit);
    let next = items.last().filter(|_| is_full).map(|dead_letter| dead_letter.id);
    Ok(Json(DeadLetters { items, pending, next }))
}
