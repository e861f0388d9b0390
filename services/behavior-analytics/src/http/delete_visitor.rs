//! `DELETE /v1/visitors/{id}`

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use messaging::Kit;
use problem::{Path, Problem};
use runtime::{
    auth::{Caller, Scope},
    clock,
};

use super::{internal, visitor_in_path};
use crate::{learning::Knowledge, storage::erasures};

/// When to ask again where the model is still busy.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Erases a visitor: events, baskets, and what was learned from them. What is still on its way, and what comes later, is
/// dropped. Doing it again does no harm.
#[utoipa::path(
    delete, path = "/v1/visitors/{id}", tag = "events",
    params(("id" = String, Path, description = "As in the visitor's events, or the customer's id")),
    responses(
        (status = 204),
        (status = 503, body = Problem, description = "`model_busy`: erased from the tables, not yet from the model; ask again"),
    ),
    security(("bearer" = ["analytics:read"]))
)]
pub(super) async fn delete_visitor(
    caller: Caller,
    State(kit): State<Kit>,
    State(knowledge): State<Knowledge>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::AnalyticsRead)?;
    let visitor = visitor_in_path("id", &id)?;
    let mut tx = kit.begin().await.map_err(internal)?;
    let erasure = erasures::erase(&mut tx, &visitor, clock::now()).await?;
    tx.commit().await.map_err(internal)?;
    tracing::info!(erasure, actor = caller.subject(), "a visitor is erased");
    knowledge.has_forgotten(erasure).await.map_err(|error| {
        Problem::unavailable("model_busy", RETRY_AFTER).detail(format!("{error}; ask again."))
    })?;
    Ok(StatusCode::NO_CONTENT)
}
