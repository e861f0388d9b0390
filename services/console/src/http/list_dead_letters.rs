//! `GET /ops/dead-letters`

use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap,
        header::{AUTHORIZATION, CACHE_CONTROL},
    },
    response::IntoResponse,
};
use problem::{Problem, Query};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{dead_letters::DeadLetters, http::operator::Operator};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 500;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeadLetterFilter {
    /// Include resolved dead letters.
    #[serde(default)]
    all: bool,
    /// The maximum number of items, 1 to 500; 50 by default.
    limit: Option<usize>,
}

/// The dead letters of all services.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct DeadLetterList {
    /// The number of pending dead letters of all services that answered.
    pending: i64,
    services: Vec<PendingCount>,
    /// The dead letters as their services show them, newest first, each with the name of its `service`.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Map<String, Value>>,
}

/// The number of pending dead letters of one service.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct PendingCount {
    name: &'static str,
    /// Null if the service did not answer.
    pending: Option<i64>,
}

/// List dead letters
///
/// The dead letters of all services. A service that does not answer has no count; the others are listed all the same.
/// Requests to `/ops/dead-letters/{service}…` go to that service's own dead-letter routes, such as `GET …/{id}`,
/// `POST …/{id}/redrive` or `POST …/discard`.
#[utoipa::path(
    get, path = "/ops/dead-letters", tag = "ops", params(DeadLetterFilter),
    security(("bearer" = ["ops"])),
    responses(
        (status = 200, body = DeadLetterList),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "The token lacks the scope `ops`", body = Problem),
    )
)]
pub(crate) async fn list_dead_letters(
    _: Operator,
    State(dead_letters): State<DeadLetters>,
    Query(filter): Query<DeadLetterFilter>,
    headers: HeaderMap,
) -> impl IntoResponse {
    let limit = filter.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let merged = dead_letters.list(limit, filter.all, headers.get(AUTHORIZATION)).await;
    let list = DeadLetterList {
        pending: merged.pending.iter().filter_map(|(_, pending)| *pending).sum(),
        services: merged
            .pending
            .into_iter()
            .map(|(name, pending)| PendingCount { name, pending })
            .collect(),
        items: merged.items,
    };
    ([(CACHE_CONTROL, "no-store")], Json(list))
}
