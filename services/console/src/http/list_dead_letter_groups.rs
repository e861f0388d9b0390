//! `GET /ops/dead-letters/groups`

use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap,
        header::{AUTHORIZATION, CACHE_CONTROL},
    },
    response::IntoResponse,
};
use problem::Problem;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{dead_letters::DeadLetters, http::operator::Operator};

/// The groups of dead letters of all services.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct DeadLetterGroupList {
    /// The groups as their services show them, the largest first, each with the name of its `service`.
    #[schema(value_type = Vec<Object>)]
    items: Vec<Map<String, Value>>,
}

/// List dead letter groups
///
/// The pending dead letters of all services, grouped by consumer, reason, event type and cause. The groups of a service that
/// does not answer are missing.
#[utoipa::path(
    get, path = "/ops/dead-letters/groups", tag = "ops", security(("bearer" = ["ops"])),
    responses(
        (status = 200, body = DeadLetterGroupList),
        (status = 401, description = "Missing or invalid token", body = Problem),
        (status = 403, description = "The token lacks the scope `ops`", body = Problem),
    )
)]
pub(crate) async fn list_dead_letter_groups(
    _: Operator,
    State(dead_letters): State<DeadLetters>,
    headers: HeaderMap,
) -> impl IntoResponse {
    let items = dead_letters.groups(headers.get(AUTHORIZATION)).await;
    ([(CACHE_CONTROL, "no-store")], Json(DeadLetterGroupList { items }))
}
